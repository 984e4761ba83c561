"""A schema as model servers take it: their converters to grammars know only some of JSON Schema."""

from __future__ import annotations

from typing import cast

from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json

_NOT_TAKEN = frozenset({"pattern", "examples", "default"})
_NAMED = frozenset({"properties", "$defs"})


def servable_schema(schema: JsonSchema) -> JsonSchema:
    """Leave out what the server's converter refuses or has no use for; the caller judges replies anyway.

    A `pattern` beyond a few regular expressions fails the whole request ("failed to parse grammar").
    """
    return cast("JsonSchema", _without(schema))


def _without(value: Json) -> Json:
    if isinstance(value, list):
        return [_without(item) for item in cast("list[Json]", value)]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Json] = {}
    for key, inner in cast("dict[str, Json]", value).items():
        if key in _NAMED and isinstance(inner, dict):
            kept[key] = {name: _without(part) for name, part in cast("dict[str, Json]", inner).items()}
        elif key in ("enum", "const"):
            kept[key] = inner
        elif key not in _NOT_TAKEN and not key.startswith("x-"):
            kept[key] = _without(inner)
    return kept
