"""JSON Schema, draft 2020-12: is a schema one, does a value fit it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, cast

import jsonschema
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json, canonical_json


def schema_fault(schema: JsonSchema) -> str | None:
    """Say what is wrong with a schema, a reference out of itself included; None when it can be used."""
    if _is_plain(schema):
        return None
    try:
        jsonschema.Draft202012Validator.check_schema(cast("Any", schema))
        resolver = Registry[Any]().with_resource("", DRAFT202012.create_resource(schema)).resolver("")
        for reference in _references(schema):
            resolver.lookup(reference)
    except jsonschema.SchemaError as error:
        return str(cast("Any", error).message)
    except Unresolvable as error:
        return f"the reference '{error.ref}' leads nowhere in it; write it out, nothing is fetched"
    except RecursionError:
        return "it is nested too deeply"
    return None


_TYPES = frozenset(("string", "number", "integer", "boolean", "object", "array", "null"))


def _is_plain(schema: Json) -> bool:
    """Say whether a schema is right at a glance, as most are: the whole check takes far longer."""
    try:
        if not isinstance(schema, dict):
            return False
        return all(_is_plainly(key, said) for key, said in cast("dict[str, Json]", schema).items())
    except RecursionError:
        return False


def _is_plainly(keyword: str, said: Json) -> bool:
    match keyword:
        case "type":
            return isinstance(said, str) and said in _TYPES
        case "title" | "description":
            return isinstance(said, str)
        case "enum" | "examples":
            return isinstance(said, list)
        case "required":
            return _are_names(said)
        case "properties":
            return isinstance(said, dict) and all(map(_is_plain, cast("dict[str, Json]", said).values()))
        case "items" | "additionalProperties":
            return isinstance(said, bool) or _is_plain(said)
        case _:
            return keyword in ("default", "const")


def _are_names(said: Json) -> bool:
    if not isinstance(said, list):
        return False
    names = [name for name in cast("list[Json]", said) if isinstance(name, str)]
    return len(set(names)) == len(cast("list[Json]", said))


def _references(schema: Json) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in cast("dict[str, Json]", schema).items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list | tuple):
        for item in cast("list[Json]", schema):
            yield from _references(item)


def schema_problems(schema: JsonSchema, value: Json) -> tuple[str, ...]:
    """Say how a value breaks a schema, each as `path: message`; empty when it fits. Fetches nothing.

    A value that cannot be judged (nested too deeply, or by a schema with a fault) does not fit.
    """
    return _compiled(canonical_json(schema))(value)


@lru_cache(maxsize=512)
def _compiled(schema: bytes) -> Callable[[Json], tuple[str, ...]]:
    closed = Registry[Any]()
    validator = cast("Any", jsonschema.Draft202012Validator(json.loads(schema), registry=closed))

    def problems(value: Json) -> tuple[str, ...]:
        try:
            errors = sorted(validator.iter_errors(value), key=lambda error: str(error.json_path))
            return tuple(
                f"{error.json_path.removeprefix('$').lstrip('.') or 'value'}: {error.message}"
                for error in errors
            )
        except RecursionError:
            return ("value: nested too deeply to be judged",)
        except (Unresolvable, re.error) as error:
            return (f"value: the schema itself cannot be used: {error}",)

    return problems
