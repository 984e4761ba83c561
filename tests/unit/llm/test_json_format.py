"""What of a schema reaches Ollama's converter."""

from __future__ import annotations

import pytest

from planwarden.contracts.specs import JsonSchema
from planwarden.llm.wire.json_format import servable_schema

pytestmark = pytest.mark.requirement("LLM-13")


def test_what_the_servers_converter_refuses_is_left_out_at_every_depth() -> None:
    schema: JsonSchema = {
        "type": "object",
        "properties": {
            "sql": {"type": "string", "pattern": r"^(?:select)[\s\S]*$", "maxLength": 10},
            "zone": {"anyOf": [{"type": "string", "examples": ["a"]}, {"type": "null"}], "default": None},
            "operation": {"enum": ["sum"], "x-labels": {"sum": "total"}},
        },
        "required": ["sql"],
        "additionalProperties": False,
    }
    assert servable_schema(schema) == {
        "type": "object",
        "properties": {
            "sql": {"type": "string", "maxLength": 10},
            "zone": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "operation": {"enum": ["sum"]},
        },
        "required": ["sql"],
        "additionalProperties": False,
    }


def test_an_argument_that_is_named_like_a_keyword_stays() -> None:
    schema: JsonSchema = {
        "type": "object",
        "properties": {"pattern": {"type": "string"}},
        "required": ["pattern"],
    }
    assert servable_schema(schema) == schema


def test_a_value_of_an_enum_is_never_touched() -> None:
    schema: JsonSchema = {"enum": [{"pattern": "kept"}]}
    assert servable_schema(schema) == schema
