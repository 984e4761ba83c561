"""What an example says that a result must hold, and how examples may be written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden import ToolExample, ToolSpec, tool
from planwarden.contracts.value import Json
from planwarden.tools.examples import differences

pytestmark = pytest.mark.requirement("TOOL-10")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(values)
def test_every_value_holds_itself(value: Json) -> None:
    assert differences(value, value) == ()


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (None, {"any": "thing"}),
        ({}, {"a": 1}),
        ({"a": 1}, {"a": 1.0, "b": 2}),
        ({"a": 100.0}, {"a": 100.00001}),
        ("well", "all is well"),
        ("", "x"),
        ([1], [1, 2]),
        ([{"n": 1}], [{"n": 1, "text": "x"}, 2]),
        ({"a": None}, {"a": None}),
    ],
)
def test_a_result_that_holds_at_least_what_is_expected_is_right(expected: Json, found: Json) -> None:
    assert differences(expected, found) == ()


@pytest.mark.parametrize(
    ("expected", "found", "says"),
    [
        ({"a": 1}, {"b": 1}, "result.a: expected 1, but it is not there"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "result.a.b: expected 1, got 2"),
        ({"a": 1}, {"a": True}, "result.a: expected 1, got True"),
        ({"a": True}, {"a": 1}, "result.a: expected True, got 1"),
        ({"a": None}, {"a": 0}, "result.a: expected None, got 0"),
        ({"a": 100.0}, {"a": 100.001}, "result.a: expected 100.0, got 100.001"),
        ("Well", "all is well", "result: expected a text with 'Well', got 'all is well'"),
        ("1", 1, "result: expected a text with '1', got 1"),
        ([1, 2], [1], "result: expected at least 2 items, got 1"),
        ([{"n": 1}], [{"n": 2}], "result[0].n: expected 1, got 2"),
        ({}, [], "result: expected an object, got []"),
        ([], {}, "result: expected an array, got {}"),
    ],
)
def test_what_is_missing_or_other_is_said_with_its_place(expected: Json, found: Json, says: str) -> None:
    assert differences(expected, found) == (says,)


def test_an_example_is_a_text_or_a_value_wherever_one_is_written() -> None:
    whole = ToolExample(request="shout hi", arguments={"word": "hi"}, returns="HI")

    @tool(name="my.shout", effect="read", examples=["make it loud", whole])
    def shout(word: str) -> str:
        """Shout a word."""
        return word.upper()

    assert shout.spec.examples == (ToolExample(request="make it loud"), whole)
    assert ToolSpec.model_validate_json(shout.spec.model_dump_json()) == shout.spec
    fields = shout.spec.model_dump() | {"examples": ["make it loud", whole.model_dump()]}
    assert ToolSpec.model_validate(fields) == shout.spec
