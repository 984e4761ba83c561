"""Arguments grounded in the request, for models too small to be trusted with free ones. Pure.

Where a model's measured capability does not carry free arguments, the schema is narrowed before it is asked:
an enum, or a text with `examples`, to the values that the request speaks of; any other text to spans of the
request; a number to the numbers in it. An optional argument stays only where the request names its value.
The model chooses among what is left, and the tool's own schema still decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import assert_never, cast

from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json
from planwarden.language.amounts import Amount
from planwarden.language.dates import Day, TimeOfDay
from planwarden.language.numbers import mentions
from planwarden.language.scripts import plain_signs

_WORD = re.compile(r"\w+")
_NEGATIVE = re.compile(r"(?:^|[^\w.,)])-$")
_QUOTED = re.compile(
    r"\"([^\"]+)\"|“([^”]+)”|„([^“”]+)[“”]|«\s*([^»]+?)\s*»|「([^」]+)」|『([^』]+)』|'([^']{3,})'|`([^`]+)`"
)
_NAMED_FILE = re.compile(r"[\w./-]+\.[A-Za-z][A-Za-z0-9]{0,5}\b")
_ARITHMETIC = re.compile(r"[\d(][\d\s.,+*/^%()×÷-]*[\d)%](?:\s+of\s+[\d.,]+)?")
_AFTER_COLON = re.compile(r"(?::\s+|：\s*)(\S.*)$", re.DOTALL)
MIN_SHARED = 3
"""How many letters a word and a name must begin with in common to count as the same."""
MAX_SPANS = 6
MAX_DIGITS = 300


def grounded_schema(schema: JsonSchema, request: str) -> JsonSchema:
    """Narrow the schema of a call's arguments to what a request speaks of.

    Args:
        schema: of the arguments; an object.
        request: the user's words, and what earlier steps found.
    """
    properties = cast("dict[str, JsonSchema]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    narrowed: dict[str, Json] = {}
    taken: list[Json] = []
    for name in [*required, *(name for name in properties if name not in required)]:
        values = _values(properties[name], request, optional=name not in required)
        left = [value for value in values if name in required or value not in taken]
        if left:
            narrowed[name] = {"enum": left}
            taken += left
        elif name in required:
            narrowed[name] = properties[name]
    ordered = {name: narrowed[name] for name in properties if name in narrowed}
    return {**schema, "properties": ordered, "required": list(ordered)}


def groundable(schema: JsonSchema, request: str) -> bool:
    """Say whether a request names a value for every required text and number of a call."""
    return not ungrounded(schema, grounded_schema(schema, request))


def ungrounded(schema: JsonSchema, narrowed: JsonSchema) -> tuple[str, ...]:
    """Give the required texts and numbers for which the request names no value at all."""
    before = cast("dict[str, JsonSchema]", schema.get("properties", {}))
    after = cast("dict[str, JsonSchema]", narrowed.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    return tuple(name for name in required if "enum" not in before[name] and "enum" not in after[name])


def _values(wanted: JsonSchema, request: str, *, optional: bool) -> list[Json]:
    """Give the values of one argument that the request speaks of; empty when it speaks of none."""
    plain = _without_null(wanted)
    values = plain.get("enum", plain.get("examples"))
    if isinstance(values, list):
        labels = cast("dict[str, str]", plain.get("x-labels", {}))
        return _spoken_of(cast("list[Json]", values), labels, request, whole_words=optional)
    found: list[Json] = []
    if plain.get("type") in ("integer", "number"):
        found = _numbers(request)
    elif plain.get("type") == "string":
        found = [*(_quoted(request) if optional else _spans(request))]
    return [value for value in found if not schema_problems(plain, value)][:MAX_SPANS]


def _without_null(wanted: JsonSchema) -> JsonSchema:
    """Give the one alternative of a nullable schema that is not null."""
    options = cast("list[JsonSchema]", wanted.get("anyOf", []))
    real = [option for option in options if option.get("type") != "null"]
    if options and len(real) == 1:
        return {**{key: value for key, value in wanted.items() if key != "anyOf"}, **real[0]}
    values = wanted.get("enum")
    if isinstance(values, list) and None in values:
        return {**wanted, "enum": [value for value in cast("list[Json]", values) if value is not None]}
    return wanted


def _spoken_of(
    values: Sequence[Json], labels: Mapping[str, str], request: str, *, whole_words: bool
) -> list[Json]:
    """Give the values that share most words with the request; a word may be cut short in either."""
    words = [word.lower() for word in _WORD.findall(request)]
    named = [f"{value} {labels.get(str(value), '')}" for value in values]
    scores = [_shared(name, words, whole_words=whole_words) for name in named]
    best = max(scores, default=0.0)
    return [value for value, score in zip(values, scores, strict=True) if score == best] if best else []


def _shared(value: str, words: Sequence[str], *, whole_words: bool) -> float:
    parts = [part.lower() for part in re.findall(r"[^\W_]+", value)]
    same = _equal if whole_words else _alike
    telling = [part for part in parts if len(part) >= MIN_SHARED] or parts
    found = sum(1 for part in telling if any(same(part, word) for word in words))
    return found if found < len(telling) else found + 0.5


def _equal(part: str, word: str) -> bool:
    return part == word


def _alike(part: str, word: str) -> bool:
    """Say whether two words may be forms of one: begun alike for most of the longer, or one cut short."""
    shorter, longer = sorted((part, word), key=len)
    shared = next((at for at, (a, b) in enumerate(zip(part, word, strict=False)) if a != b), len(shorter))
    cut_short = shared == len(shorter) >= MIN_SHARED
    return cut_short or shared >= max(MIN_SHARED + 1, 0.6 * len(longer))


def _numbers(request: str) -> list[Json]:
    """Give the numbers of a request in every plausible reading: 10.000,50 is one, 1.234 two, a day three."""
    plain = plain_signs(request)
    found: dict[Json, None] = {}
    for mention in mentions(request):
        sign = -1 if _NEGATIVE.search(plain, max(0, mention.start - 2), mention.start) else 1
        readings = mention.readings[: len(mention.readings) // 2] if mention.percent else mention.readings
        for part in (part for reading in readings for part in reading):
            found.update(dict.fromkeys(_values_of(part, sign)))
    return list(found)


def _values_of(part: Amount | Day | TimeOfDay, sign: int) -> list[Json]:
    match part:
        case Amount(value=value) if value == value.to_integral_value() and value.adjusted() < MAX_DIGITS:
            return [sign * int(value)]
        case Amount(value=value):
            return [sign * number] if math.isfinite(number := float(value)) else []
        case Day(year=year, month=month, day=of_month):
            return [each for each in (year, month, of_month) if each is not None]
        case TimeOfDay():
            return []
        case _:
            assert_never(part)


def _quoted(request: str) -> list[str]:
    return ["".join(groups) for groups in _QUOTED.findall(request)]


def _spans(request: str) -> list[str]:
    """Give the parts of a request that could be meant as a value; the whole of it when none stands out."""
    named = _NAMED_FILE.findall(request)
    sums = [found.strip() for found in _ARITHMETIC.findall(plain_signs(request)) if len(found.strip()) > 2]
    after = [match.group(1).strip() for match in [_AFTER_COLON.search(request)] if match]
    particular = [span for span in dict.fromkeys([*_quoted(request), *named, *sums, *after]) if span]
    return particular or [request.strip()]
