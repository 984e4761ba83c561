"""Arguments of small models are narrowed to what the request speaks of."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.json_schema import schema_problems
from planwarden.tools.grounding import grounded_schema

pytestmark = pytest.mark.requirement("ARG-1")

SYMBOLS = ["AAPL", "IBM", "MSFT"]
MEASURES = ["total_return", "volatility", "max_drawdown"]


def schema(required: list[str] | None = None, **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


def narrowed(request: str, required: list[str] | None = None, **properties: dict[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", grounded_schema(schema(required, **properties), request)["properties"])


def test_an_enum_is_narrowed_to_the_value_that_the_request_names() -> None:
    assert narrowed("What is the price of IBM?", symbol={"enum": SYMBOLS}) == {"symbol": {"enum": ["IBM"]}}


def test_a_word_in_another_form_names_a_value_too() -> None:
    assert narrowed("How volatile was it?", measure={"enum": MEASURES}) == {
        "measure": {"enum": ["volatility"]}
    }
    assert narrowed("the maximum temperature", column={"enum": ["temp_max", "temp_min", "wind"]}) == {
        "column": {"enum": ["temp_max"]}
    }


def test_an_enum_of_which_the_request_says_nothing_stays_whole_when_it_is_required() -> None:
    assert narrowed("How are things?", symbol={"enum": SYMBOLS}) == {"symbol": {"enum": SYMBOLS}}


def test_an_optional_argument_stays_only_where_the_request_names_its_value() -> None:
    zone = {"type": "string", "examples": ["America/Knox_IN", "Asia/Tokyo"], "default": "UTC"}
    assert narrowed("What time is it in Tokyo?", [], zone=zone) == {"zone": {"enum": ["Asia/Tokyo"]}}
    assert narrowed("What time is it?", [], zone=zone) == {}


def test_a_nullable_number_is_narrowed_to_the_numbers_of_the_request_that_fit_it() -> None:
    year = {"anyOf": [{"type": "integer", "minimum": 2000, "maximum": 2010}, {"type": "null"}]}
    assert narrowed("return since 2005, in 3 words", [], year=year) == {"year": {"enum": [2005]}}


def test_a_text_is_narrowed_to_the_spans_that_stand_out_and_fit_the_pattern() -> None:
    text = {"type": "string"}
    assert narrowed("Save 'buy milk' to notes.txt", content=text) == {
        "content": {"enum": ["buy milk", "notes.txt"]}
    }
    sql = {"type": "string", "pattern": "^select"}
    assert narrowed("Run SQL: select 1", sql=sql) == {"sql": {"enum": ["select 1"]}}


def test_a_text_is_the_whole_request_when_nothing_stands_out() -> None:
    assert narrowed("find the refund rules", query={"type": "string"}) == {
        "query": {"enum": ["find the refund rules"]}
    }


def test_one_value_is_not_given_to_a_second_argument_that_is_optional() -> None:
    names = {"enum": ["price", "date"]}
    assert narrowed("average price", ["column"], column=names, group_by=names) == {
        "column": {"enum": ["price"]}
    }


@given(request=st.text(max_size=200), numbers=st.lists(st.integers(-50, 50), max_size=3))
def test_whatever_is_left_to_choose_fits_the_tools_own_schema(request: str, numbers: list[int]) -> None:
    whole = schema(
        ["symbol", "count", "text"],
        symbol={"enum": SYMBOLS},
        count={"type": "integer", "minimum": 0},
        text={"type": "string", "maxLength": 80},
        note={"anyOf": [{"type": "string"}, {"type": "null"}]},
    )
    told = f"{request} {' '.join(map(str, numbers))}"
    properties = cast("dict[str, Any]", grounded_schema(whole, told)["properties"])
    for name, wanted in properties.items():
        for value in wanted.get("enum", []):
            assert schema_problems(whole["properties"][name], value) == ()


@pytest.mark.parametrize(
    ("request_text", "numbers"),
    [
        ("Zeige Werte über 10.000,50", [10_000.5]),
        ("au-dessus de 1 234,5", [1_234.5]),
        ("１２３より大きい", [123]),
        ("約3400円以上", [3400]),
        ("أكثر من ١٢٣", [123]),
        ("1.234 Stück", [1234, 1.234]),
        ("15% davon", [15]),
        ("below -7", [-7]),
        ("3,5 Mio. Euro", [3_500_000]),
        ("since 2024-05-01", [2024, 5, 1]),
    ],
)
def test_a_number_of_the_request_is_read_in_the_notation_of_its_language(
    request_text: str, numbers: list[float]
) -> None:
    assert narrowed(request_text, above={"type": "number"}) == {"above": {"enum": numbers}}


@pytest.mark.parametrize("text", ["Prüfe „so nicht“", "Vérifie « so nicht »", "「so nicht」を確認"])
def test_a_quote_is_found_in_the_marks_of_its_language(text: str) -> None:
    assert narrowed(text, text={"type": "string"}) == {"text": {"enum": ["so nicht"]}}


def test_a_sum_in_a_text_without_spaces_is_found() -> None:
    assert narrowed("１２８×７を計算して", sum={"type": "string"}) == {"sum": {"enum": ["128×7"]}}


@pytest.mark.requirement("ARG-4")
@pytest.mark.parametrize(
    ("request_", "path", "content"),
    [
        ('Write the text "Budget approved." to minutes.txt', ["minutes.txt"], ["Budget approved."]),
        ("Save 'see you at 5' in todo/friday.md", ["todo/friday.md"], ["see you at 5"]),
        ('Put "a.b" into "my notes.txt"', ["my notes.txt"], ["a.b"]),
    ],
)
def test_a_files_name_goes_to_the_argument_that_wants_a_file_and_the_rest_to_the_other(
    request_: str, path: list[str], content: list[str]
) -> None:
    text: dict[str, object] = {"type": "string", "minLength": 1}
    wanted = schema(path={**text, "x-verbatim": "file"}, content=text, required=["path", "content"])
    narrowed = cast("dict[str, Any]", grounded_schema(wanted, request_)["properties"])
    assert set(path) <= set(narrowed["path"]["enum"])
    assert not set(path) & set(narrowed["content"]["enum"]) or len(narrowed["path"]["enum"]) > 1
    assert set(content) <= set(narrowed["content"]["enum"])


@pytest.mark.requirement("ARG-4")
@pytest.mark.parametrize(
    ("request_", "expression"),
    [
        ("How much is sqrt(2025)?", "sqrt(2025)"),
        ("Please work out 2 * max(3, 4) + 1 for me", "2 * max(3, 4) + 1"),
        ("What is (1250 - 200) / 7?", "(1250 - 200) / 7"),
        ("Call me (maybe) at 10", None),
    ],
)
def test_a_function_belongs_to_the_sum_it_stands_in(request_: str, expression: str | None) -> None:
    wanted = schema(expression={"type": "string", "minLength": 1}, required=["expression"])
    narrowed = cast("dict[str, Any]", grounded_schema(wanted, request_)["properties"])
    assert narrowed["expression"]["enum"] == [expression or request_]
