"""Whether arguments and results fit a tool's JSON Schema; pure, with compiled validators kept by content."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from planwarden.contracts.specs import JsonSchema, ToolSpec
from planwarden.contracts.value import Json, canonical_json
from planwarden.errors import CatalogRejected

MAX_PROBLEMS = 5
_MAX_SHOWN = 160


def argument_problems(schema: JsonSchema, arguments: Json) -> tuple[str, ...]:
    """Say what is wrong with a call's arguments, each line naming its field; empty when they fit.

    At most `MAX_PROBLEMS` lines, in the order of their fields.

    Raises:
        CatalogRejected: the schema itself is not a JSON Schema (draft 2020-12), or refers to one elsewhere.
    """
    return _problems(schema, arguments, whole="arguments")


def output_problems(spec: ToolSpec, value: Json) -> tuple[str, ...]:
    """Say what is wrong with a tool's result; an opaque result only has to be JSON.

    Raises:
        CatalogRejected: the tool's output schema is not a JSON Schema.
    """
    return _problems({} if spec.output == "opaque" else spec.output, value, whole="result")


def _problems(schema: JsonSchema, value: Json, *, whole: str) -> tuple[str, ...]:
    try:
        canonical_json(value)
    except (ValueError, TypeError, RecursionError) as error:
        return (f"{whole}: not JSON: {error}",)
    validator = _validator(canonical_json(schema))
    try:
        found = cast("Iterable[ValidationError]", validator.iter_errors(cast("Any", value)))  # pyright: ignore[reportUnknownMemberType] - its stub leaves a parameter untyped
        errors = sorted(found, key=lambda error: error.json_path)
    except Unresolvable as error:
        raise CatalogRejected(
            f"a tool's schema refers to another document: {error}",
            remedy="Write the schema out in full; references leave the machine.",
        ) from error
    return tuple(_line(error, whole) for error in errors[:MAX_PROBLEMS])


@lru_cache(maxsize=512)
def _validator(canonical: bytes) -> Draft202012Validator:
    schema = cast("dict[str, Any]", json.loads(canonical))
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise CatalogRejected(
            f"a tool's schema is not a JSON Schema: {error.json_path}: {error.message}",
            remedy="Mend the schema; see JSON Schema draft 2020-12.",
        ) from error
    return Draft202012Validator(schema, registry=Registry())  # an empty registry fetches nothing


def _line(error: ValidationError, whole: str) -> str:
    path = error.json_path.removeprefix("$").removeprefix(".") or whole
    message = str(error.message)
    if len(message) > _MAX_SHOWN:
        message = message[:_MAX_SHOWN] + "…"
    return f"{path}: {message}"
