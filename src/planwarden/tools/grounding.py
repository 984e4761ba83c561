"""Arguments grounded in the request, for models too small to be trusted with free ones. Pure.

Where a model's measured capability does not carry free arguments, the schema is narrowed before it is asked:
an enum, or a text with `examples`, to the values that the request speaks of; any other text to spans of the
request; a number to the numbers in it. An optional argument stays only where the request names its value.
The model chooses among what is left, and the tool's own schema still decides.

In a conversation a request may leave out what was said before. What it does name is never replaced; what a
required argument lacks is looked for in the earlier requests, newest first; and where one had to be, the
optional arguments that this earlier request names come along ("And for MSFT?" keeps the years asked about).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import assert_never, cast

from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import JsonSchema, ToolSpec
from planwarden.contracts.value import Json
from planwarden.language.amounts import Amount
from planwarden.language.dates import Day, TimeOfDay
from planwarden.language.numbers import mentions
from planwarden.language.scripts import plain_signs
from planwarden.tools.function_words import FUNCTION_WORDS, REFERRING_WORDS

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[^\W_]+")
_NEGATIVE = re.compile(r"(?:^|[^\w.,)])-$")
_QUOTED = re.compile(
    r"\"([^\"]+)\"|“([^”]+)”|„([^“”]+)[“”]|«\s*([^»]+?)\s*»|「([^」]+)」|『([^』]+)』|'([^']{3,})'|`([^`]+)`"
)
_NAMED_FILE = re.compile(r"[\w./-]+\.[A-Za-z][A-Za-z0-9]{0,5}\b")
_FILE_NAME = re.compile(r"[^\n]*[\w-]\.[A-Za-z][A-Za-z0-9]{0,5}")
_FUNCTION = r"\b[a-z]{2,8}(?=\()"
_ARITHMETIC = re.compile(
    rf"(?:{_FUNCTION})?[\d(](?:{_FUNCTION}|[\d\s.,+*/^%()×÷-])*[\d)%](?:\s+of\s+[\d.,]+)?"
)
_AFTER_COLON = re.compile(r"(?::\s+|：\s*)(\S.*)$", re.DOTALL)
MIN_SHARED = 3
"""How many letters a word and a name must begin with in common to count as the same."""
MAX_SPANS = 6
MAX_DIGITS = 300


def grounded_schema(
    schema: JsonSchema, request: str, earlier: Sequence[str] = (), known: Collection[str] = ()
) -> JsonSchema:
    """Narrow the schema of a call's arguments to what a request speaks of.

    Args:
        schema: of the arguments; an object.
        request: the user's words, and what earlier steps found.
        earlier: what the user said in earlier turns, newest first; for required arguments of which the
            request itself names no value. None are, where the request holds a word that nothing here knows:
            it may be the value, in words that the schema does not have ("And Apple?").
        known: words that say nothing about values; those of the tool (`words_of`).
    """
    if earlier and _strange_words(schema, request, known):
        earlier = ()
    properties = cast("dict[str, JsonSchema]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    values: dict[str, list[Json]] = {}
    leant_on: str | None = None
    for name in required:
        values[name] = named_values(properties[name], request)
        if not values[name] and not _is_prose(properties[name]):
            source = _first_naming(properties[name], earlier)
            leant_on = leant_on or source
            values[name] = named_values(properties[name], source) if source is not None else []
        values[name] = values[name] or _whole(properties[name], request)
    for name in properties:
        if name not in required:
            found = named_values(properties[name], request, optional=True)
            values[name] = found or (
                named_values(properties[name], leant_on, optional=True) if leant_on is not None else []
            )
    return _narrowed(schema, values)


def _narrowed(schema: JsonSchema, values: Mapping[str, list[Json]]) -> JsonSchema:
    """Leave each argument the values found for it.

    What is the only value of one is offered to another only where that has no other either; what was offered
    to a required one is not offered to an optional one.
    """
    properties = cast("dict[str, JsonSchema]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    narrowed: dict[str, Json] = {}
    taken: list[Json] = []
    sole: list[Json] = []
    for name in [*required, *(name for name in properties if name not in required)]:
        left = [value for value in values[name] if value not in (taken if name not in required else sole)]
        left = left or (values[name] if name in required else [])
        if left:
            sole += left if len(left) == 1 else []
            narrowed[name] = {"enum": left}
            taken += left
        elif name in required:
            narrowed[name] = properties[name]
    ordered = {name: narrowed[name] for name in properties if name in narrowed}
    return {**schema, "properties": ordered, "required": list(ordered)}


def groundable(spec: ToolSpec, request: str, earlier: Sequence[str] = ()) -> bool:
    """Say whether a request names a value for every required text and number of a call."""
    schema = spec.parameters
    return not ungrounded(schema, grounded_schema(schema, request, earlier, words_of(spec)))


def words_of(spec: ToolSpec) -> frozenset[str]:
    """Give the words that a tool is spoken of with; of its examples only those that are no names."""
    plain = " ".join((spec.name, spec.description, *spec.topics)).lower()
    examples = (
        word for example in spec.examples for word in _PART.findall(example.request) if word.islower()
    )
    properties = cast("dict[str, JsonSchema]", spec.parameters.get("properties", {}))
    told = (f"{name} {wanted.get('description', '')}".lower() for name, wanted in properties.items())
    return frozenset(
        (*_PART.findall(plain), *examples, *(word for each in told for word in _PART.findall(each)))
    )


def without_values(schema: JsonSchema, request: str) -> str:
    """Give a request without the words that name values of a call: what is left says which call is meant."""
    properties = cast("dict[str, JsonSchema]", schema.get("properties", {}))
    named = [
        f"{value} {_labels(wanted).get(str(value), '')}"
        for wanted in properties.values()
        for value in named_values(wanted, request)
    ]
    parts = [part.lower() for each in named for part in _PART.findall(each)]
    return " ".join(
        word for word in _PART.findall(request) if not any(_names(part, word.lower()) for part in parts)
    )


def _names(part: str, word: str) -> bool:
    return part == word or _alike(part, word) or _abbreviates(part, word)


def _strange_words(schema: JsonSchema, request: str, known: Collection[str]) -> list[str]:
    """Give the words of a request that name no value and that the tool is not spoken of with."""
    return [
        word
        for word in _PART.findall(without_values(schema, request).lower())
        if word not in FUNCTION_WORDS | REFERRING_WORDS and not any(_alike(own, word) for own in known)
    ]


def named_arguments(schema: JsonSchema, request: str) -> frozenset[str]:
    """Give the arguments of a call of which a request names a value by itself."""
    properties = cast("dict[str, JsonSchema]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    return frozenset(
        name
        for name, wanted in properties.items()
        if named_values(wanted, request, optional=name not in required)
    )


def lacking_arguments(schema: JsonSchema, request: str) -> frozenset[str]:
    """Give the required arguments of a call of which a request names no value by itself.

    Not those for which any sentence will do: the request itself does.
    """
    properties = cast("dict[str, JsonSchema]", schema.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    wanted = frozenset(name for name in required if not _is_prose(properties[name]))
    return wanted - named_arguments(schema, request)


def ungrounded(schema: JsonSchema, narrowed: JsonSchema) -> tuple[str, ...]:
    """Give the required texts and numbers for which the request names no value at all."""
    before = cast("dict[str, JsonSchema]", schema.get("properties", {}))
    after = cast("dict[str, JsonSchema]", narrowed.get("properties", {}))
    required = cast("list[str]", schema.get("required", []))
    return tuple(name for name in required if "enum" not in before[name] and "enum" not in after[name])


def named_values(wanted: JsonSchema, request: str, *, optional: bool = False) -> list[Json]:
    """Give the values of one argument that stand out in a request; empty when none does."""
    plain = _without_null(wanted)
    values = plain.get("enum", plain.get("examples"))
    if isinstance(values, list):
        return _spoken_of(cast("list[Json]", values), _labels(plain), request, whole_words=optional)
    found: list[Json] = []
    if plain.get("type") in ("integer", "number"):
        found = _numbers(request)
    elif plain.get("type") == "string":
        found = [*(_quoted(request) if optional else _particular(request))]
        if plain.get("x-verbatim") == "file":
            found = [span for span in found if _FILE_NAME.fullmatch(str(span))] or found
    return [value for value in found if not schema_problems(plain, value)][:MAX_SPANS]


def _labels(wanted: JsonSchema) -> Mapping[str, str]:
    """Give the words that stand for values beside the values themselves."""
    return cast("dict[str, str]", _without_null(wanted).get("x-labels", {}))


def _first_naming(wanted: JsonSchema, requests: Sequence[str]) -> str | None:
    """Give the first request that names a value of an argument."""
    return next((request for request in requests if named_values(wanted, request)), None)


def _is_prose(wanted: JsonSchema) -> bool:
    """Say whether any sentence would do as a value: then the request itself does, before an earlier one.

    A text that says `x-verbatim` wants a piece that a request sets apart: quoted, after a colon, a file. One
    that says `"file"` wants a file's name, where there is one.
    """
    plain = _without_null(wanted)
    free = plain.get("type") == "string" and not plain.keys() & {"enum", "examples", "pattern", "format"}
    return free and not plain.get("x-verbatim")


def _whole(wanted: JsonSchema, request: str) -> list[Json]:
    """Give the whole request as a text, where a text is wanted and it may be that one."""
    plain = _without_null(wanted)
    if "enum" in plain or "examples" in plain or plain.get("type") != "string":
        return []
    return [] if schema_problems(plain, request.strip()) else [request.strip()]


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
    if not best:
        return [
            value
            for value in values
            if _is_code(value) and any(_abbreviates(str(value).lower(), word) for word in words)
        ]
    return [value for value, score in zip(values, scores, strict=True) if score == best] if best else []


def _shared(value: str, words: Sequence[str], *, whole_words: bool) -> float:
    parts = [part.lower() for part in _PART.findall(value)]
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


def _is_code(value: Json) -> bool:
    """Say whether a value is written like a code: AMZN, not "average"."""
    return isinstance(value, str) and value.isalpha() and value.isupper() and len(value) >= MIN_SHARED


def _abbreviates(code: str, word: str) -> bool:
    """Say whether a code is a word with letters left out, from the same first letter on: amzn, amazon."""
    letters = iter(word)
    return len(code) >= MIN_SHARED and code[0] == word[:1] and all(letter in letters for letter in code)


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


def _particular(request: str) -> list[str]:
    """Give the parts of a request that stand out as a value."""
    named = _NAMED_FILE.findall(request)
    sums = [found.strip() for found in _ARITHMETIC.findall(plain_signs(request)) if len(found.strip()) > 2]
    after = [match.group(1).strip() for match in [_AFTER_COLON.search(request)] if match]
    return [span for span in dict.fromkeys([*_quoted(request), *named, *sums, *after]) if span]
