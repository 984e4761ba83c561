"""JSON Schema, draft 2020-12: is a schema one, does a value fit it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import jsonschema

from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json, canonical_json


def schema_fault(schema: JsonSchema) -> str | None:
    """Say what is wrong with a schema; None when it is one."""
    try:
        jsonschema.Draft202012Validator.check_schema(cast("Any", schema))
    except jsonschema.SchemaError as error:
        return str(cast("Any", error).message)
    return None


def schema_problems(schema: JsonSchema, value: Json) -> tuple[str, ...]:
    """Say how a value breaks a schema, each as `path: message`; empty when it fits."""
    return _compiled(canonical_json(schema))(value)


@lru_cache(maxsize=512)
def _compiled(schema: bytes) -> Callable[[Json], tuple[str, ...]]:
    validator = cast("Any", jsonschema.Draft202012Validator(json.loads(schema)))

    def problems(value: Json) -> tuple[str, ...]:
        errors = sorted(validator.iter_errors(value), key=lambda error: str(error.json_path))
        return tuple(
            f"{error.json_path.removeprefix('$').lstrip('.') or 'value'}: {error.message}" for error in errors
        )

    return problems
