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
