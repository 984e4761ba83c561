"""Arguments against schemas."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.specs import ToolSpec
from planwarden.errors import CatalogRejected
from planwarden.tools.arguments import MAX_PROBLEMS, argument_problems, output_problems

pytestmark = pytest.mark.requirement("TOOL-3")

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["symbol"],
    "properties": {
        "symbol": {"enum": ["A", "B"]},
        "filter": {
            "type": "object",
            "properties": {"years": {"type": "array", "items": {"type": "integer"}}},
        },
    },
}


def test_fitting_arguments_have_no_problems() -> None:
    assert argument_problems(SCHEMA, {"symbol": "A", "filter": {"years": [2000]}}) == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"symbol": "C"}, "symbol: 'C' is not one of"),
        ({}, "arguments: 'symbol' is a required property"),
        ({"symbol": "A", "override": True}, "'override' was unexpected"),
        ({"symbol": "A", "filter": {"years": [1, "x"]}}, "filter.years[1]: 'x' is not of type 'integer'"),
        ([], "arguments: [] is not of type 'object'"),
        ({"symbol": float("nan")}, "arguments: not JSON"),
    ],
)
def test_a_problem_names_its_field(arguments: object, says: str) -> None:
    assert says in argument_problems(SCHEMA, arguments)[0]


def test_messages_are_bounded_in_number_and_length() -> None:
    schema: dict[str, Any] = {"type": "array", "items": {"type": "integer"}}
    problems = argument_problems(schema, ["x" * 10_000] * 50)
    assert len(problems) == MAX_PROBLEMS
    assert all(len(problem) < 200 for problem in problems)


def test_a_schema_is_never_fetched_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(urllib.request, "urlopen", asked.append)
    with pytest.raises(CatalogRejected, match="another document"):
        argument_problems({"$ref": "https://example.invalid/schema.json"}, {})
    assert asked == []


def test_a_broken_schema_is_refused() -> None:
    with pytest.raises(CatalogRejected, match="not a JSON Schema"):
        argument_problems({"type": "nonsense"}, {})


def test_a_changed_schema_is_not_served_from_the_cache() -> None:
    schema: dict[str, Any] = {"type": "integer"}
    assert argument_problems(schema, 1) == ()
    schema["type"] = "string"
    assert argument_problems(schema, 1)


def test_results_are_checked_too_and_opaque_ones_only_for_json() -> None:
    spec = ToolSpec(name="a", description="d", effect="read", parameters={}, output={"type": "integer"})
    assert output_problems(spec, 1) == ()
    assert output_problems(spec, "1") == ("result: '1' is not of type 'integer'",)
    opaque = spec.model_copy(update={"output": "opaque"})
    assert output_problems(opaque, "1") == ()
    assert output_problems(opaque, float("inf"))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_any_value_gives_a_verdict_and_never_a_crash(value: object) -> None:
    assert all(isinstance(problem, str) for problem in argument_problems(SCHEMA, value))
