"""Whether a result holds what an example says that it must. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from planwarden.contracts.value import Json

RELATIVE, ABSOLUTE = 1e-6, 1e-9
"""How far a number may be from the one expected: the larger of the two tolerances counts."""
_SHOWN_CHARS = 120


def differences(expected: Json, found: Json) -> tuple[str, ...]:
    """Say where a result does not hold what is expected of it; empty when it does.

    - null: null is expected; at the top, where it means that nothing was said, anything will do.
    - true, false: the same.
    - a number: one within `RELATIVE` of it or `ABSOLUTE`; 3 and 3.0 are the same, true is no number.
    - a text: one that contains it, letter for letter; so "" takes any text.
    - an object: one with at least these keys, each with a value that holds what is expected.
    - an array: one at least as long, whose first items hold what is expected of each.
    """
    return () if expected is None else tuple(_differences(expected, found, "result"))


def _differences(expected: Json, found: Json, place: str) -> list[str]:
    match expected:
        case Mapping():
            return _of_object(cast("Mapping[str, Json]", expected), found, place)
        case str():
            same = isinstance(found, str) and expected in found
            return [] if same else [f"{place}: expected a text with {_shown(expected)}, got {_shown(found)}"]
        case list() | tuple():
            return _of_array(cast("Sequence[Json]", expected), found, place)
        case bool() | None:
            return [] if found is expected else [_unlike(expected, found, place)]
        case int() | float():
            return [] if _near(expected, found) else [_unlike(expected, found, place)]
        case _:
            return [_unlike(expected, found, place)]


def _near(expected: float, found: Json) -> bool:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    return math.isclose(expected, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _of_object(expected: Mapping[str, Json], found: Json, place: str) -> list[str]:
    if not isinstance(found, Mapping):
        return [f"{place}: expected an object, got {_shown(found)}"]
    there = cast("Mapping[str, Json]", found)
    told: list[str] = []
    for key, value in expected.items():
        if key in there:
            told += _differences(value, there[key], f"{place}.{key}")
        else:
            told.append(f"{place}.{key}: expected {_shown(value)}, but it is not there")
    return told


def _of_array(expected: Sequence[Json], found: Json, place: str) -> list[str]:
    if not isinstance(found, list | tuple):
        return [f"{place}: expected an array, got {_shown(found)}"]
    there = cast("Sequence[Json]", found)
    if len(there) < len(expected):
        return [f"{place}: expected at least {len(expected)} items, got {len(there)}"]
    pairs = enumerate(zip(expected, there, strict=False))
    return [told for at, (one, other) in pairs for told in _differences(one, other, f"{place}[{at}]")]


def _unlike(expected: Json, found: Json, place: str) -> str:
    return f"{place}: expected {_shown(expected)}, got {_shown(found)}"


def _shown(value: Json) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
