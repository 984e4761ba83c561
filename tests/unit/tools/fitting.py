"""Whether a tool's arguments and results fit what it declares."""

from __future__ import annotations

from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import JsonSchema, ToolSpec
from planwarden.contracts.value import Json


def argument_problems(schema: JsonSchema, arguments: Json) -> tuple[str, ...]:
    return schema_problems(schema, arguments)


def output_problems(spec: ToolSpec, value: Json) -> tuple[str, ...]:
    return () if isinstance(spec.output, str) else schema_problems(spec.output, value)
