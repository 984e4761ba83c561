"""JSON Schema: never an exception, never a fetch."""

from __future__ import annotations

import socket
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.json_schema import schema_fault, schema_problems
from planwarden.contracts.specs import JsonSchema

pytestmark = pytest.mark.requirement("CON-2")

REMOTE: JsonSchema = {"$ref": "http://127.0.0.1:9/schema.json"}


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"not": value}
    return value


@pytest.mark.parametrize(
    "schema", [{"type": "x"}, {"pattern": "["}, {"$ref": "#/nowhere"}, REMOTE, {"required": "a"}, nested(900)]
)
def test_what_is_wrong_with_a_schema_is_said(schema: JsonSchema) -> None:
    assert schema_fault(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$ref": "#/$defs/a", "$defs": {"a": {}}},
        {"properties": {"$ref": {"type": "string"}}},
        {"$ref": "#"},
    ],
)
def test_a_right_schema_has_no_fault(schema: JsonSchema) -> None:
    assert schema_fault(schema) is None


def test_no_schema_is_ever_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert "cannot be used" in schema_problems({**REMOTE, "title": "fetched"}, 1)[0]


def test_a_value_that_cannot_be_judged_does_not_fit() -> None:
    deep: object = 1
    for _ in range(3000):
        deep = [deep]
    endless: JsonSchema = {"items": {"$ref": "#"}}
    cases: list[tuple[JsonSchema, object]] = [(endless, deep), ({"$ref": "#"}, 1), ({"pattern": "["}, "a")]
    for schema, value in cases:
        assert schema_problems(schema, value)


def test_a_problem_names_its_field() -> None:
    schema: JsonSchema = {"properties": {"a": {"items": {"type": "integer"}}}}
    assert schema_problems(schema, {"a": [1, "x"]}) == ("a[1]: 'x' is not of type 'integer'",)
    assert schema_problems(schema, {"a": [1]}) == ()
    assert schema_problems({"type": "object"}, 1)[0].startswith("value: ")


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_any_value_is_judged(value: object) -> None:
    assert bool(schema_problems({"type": "string"}, value)) == (not isinstance(value, str))


plain = st.sampled_from(
    [
        "string",
        "object",
        "x",
        "",
        1,
        None,
        True,
        ["a"],
        ["a", "a"],
        [1],
        [],
        {},
        {"type": "string"},
        {"type": 1},
    ]
)
keywords = st.sampled_from(
    ["type", "title", "description", "default", "const", "enum", "examples", "required", "properties",
     "items", "additionalProperties", "minimum", "pattern"]
)  # fmt: skip
schemas: st.SearchStrategy[Any] = st.recursive(
    st.dictionaries(keywords, plain, max_size=3),
    lambda inner: st.dictionaries(
        keywords, plain | inner | st.dictionaries(st.sampled_from("ab"), inner, max_size=2), max_size=4
    ),
    max_leaves=6,
)


@pytest.mark.requirement("RANK-14")
@given(schemas)
def test_a_schema_has_a_fault_exactly_when_the_standard_says_so(schema: Any) -> None:
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError:
        assert schema_fault(schema) is not None
    else:
        assert schema_fault(schema) is None
