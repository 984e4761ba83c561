"""Values in a Markdown dossier: code in them stays code, and none of them reaches past its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from planwarden.audit.render import cell

pytestmark = pytest.mark.requirement("HTM-3")


def codes(line: str) -> list[str]:
    """Give what a reader of Markdown shows as code in a line."""
    (inline,) = [token for token in MarkdownIt().parse(f"x {line}") if token.type == "inline"]
    return [token.content for token in inline.children or [] if token.type == "code_inline"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Start it with `ollama serve`, or set `LLM__BASE_URL`.", ["ollama serve", "LLM__BASE_URL"]),
        ("`finance.snapshot`", ["finance.snapshot"]),
        ("one ` alone", []),
        ("``", []),
        ("`twice`` as much`", []),
        ("\\`escaped` `", []),
        ("`a|b` and `c`", []),
    ],
)
def test_code_that_begins_and_ends_within_a_value_stays_code(said: str, shown: list[str]) -> None:
    assert codes(cell(said)) == shown


@given(st.text(alphabet="`\\ab |<&*[](\n", max_size=40), st.text(alphabet="`\\a ", max_size=20))
def test_no_value_takes_what_stands_beside_it_into_its_code(one: str, other: str) -> None:
    shown = codes(f"{cell(one)} `ours` {cell(other)}")
    assert shown == [*codes(cell(one)), "ours", *codes(cell(other))]
