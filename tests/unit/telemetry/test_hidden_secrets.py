"""No secret in a line, whatever the event."""

from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from planwarden.telemetry.redaction import ANYWHERE, HIDDEN, SHORTEST, Redaction

SECRETS = st.text(min_size=ANYWHERE, max_size=40).filter(lambda text: HIDDEN not in text)
TEXT = st.text(max_size=30)


@st.composite
def events(draw: st.DrawFn) -> tuple[str, Any]:
    """Make a secret, and a value of any shape in which it stands somewhere, by itself or inside a text."""
    secret = draw(SECRETS)
    holding = st.tuples(TEXT, TEXT).map(secret.join)
    leaves = st.one_of(
        holding, holding.map(lambda text: text.encode("utf-8", "replace")), holding.map(ValueError)
    )
    inner = st.recursive(
        leaves,
        lambda each: st.one_of(
            st.lists(each, min_size=1, max_size=2),
            st.dictionaries(st.one_of(TEXT, holding), each, min_size=1, max_size=2),
            st.tuples(each, TEXT),
        ),
        max_leaves=4,
    )
    return secret, draw(inner)


@pytest.mark.requirement("LOG2-2")
@given(events())
@example(("hunter2-hunter2", {"hunter2-hunter2": ["hunter2-hunter2"]}))
@example(("12345678901", [12345678901, -12345678901.0, 1e300]))
def test_a_known_secret_stands_nowhere_in_what_is_written(event: tuple[str, Any]) -> None:
    secret, value = event
    redaction = Redaction([secret])
    for line in (json.dumps(redaction.value(value)), json.dumps(redaction.value(value), ensure_ascii=False)):
        assert secret not in line
        assert json.dumps(secret)[1:-1] not in line
        assert not redaction.betrayed(line)


@pytest.mark.requirement("LOG2-2")
@given(st.text(string.printable, min_size=ANYWHERE, max_size=40), TEXT)
def test_a_secret_is_hidden_as_json_python_and_addresses_write_it_too(secret: str, around: str) -> None:
    redaction = Redaction([secret])
    for form in (repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe="")):
        assert form not in redaction.text(f"{around} {form} {around}")


@pytest.mark.requirement("LOG2-2")
@given(st.lists(st.text(string.ascii_letters, min_size=SHORTEST, max_size=20), max_size=3), TEXT)
def test_text_without_a_secret_in_it_stays_as_it_is(secrets: list[str], text: str) -> None:
    assume(not any(secret in text for secret in secrets))
    assume(not set(text) & set(":=@?#"))
    assert Redaction(secrets).text(text) == text


@pytest.mark.requirement("LOG2-2")
def test_a_short_secret_is_hidden_where_it_is_a_word_and_a_placeholder_is_none() -> None:
    redaction = Redaction(["abcd", "x", ""])
    assert redaction.text("abcd, abcdef, x") == f"{HIDDEN}, abcdef, x"


@pytest.mark.requirement("LOG2-3")
@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("GET https://user:pw@host/v1?key=abc failed", "GET https://…@host/v1?… failed"),
        ("postgres://u:p/w@host/db", "postgres://…@host/db"),
        ("see http://host/a#access_token=abc", "see http://host/a#…"),
        ("Authorization: Bearer abcdef", "Authorization: …"),
        ("{'authorization': 'Basic dXNlcjpwdw=='}", "{'authorization': '…'}"),
        ("sent bearer abcdefgh", "sent bearer …"),
        ("api_key=abc&x=1", "api_key=…&x=1"),
        ("the key is sk-abcdefghijklmnop", "the key is sk-…"),
        ("nothing here: 12 of 33", "nothing here: 12 of 33"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_though_nobody_told_of_it(said: str, written: str) -> None:
    assert Redaction().text(said) == written


@pytest.mark.requirement("LOG2-3")
def test_a_value_under_a_name_that_says_what_it_is_is_hidden() -> None:
    headers = {"Authorization": "abc", "X-Api-Key": "abc", "session_token": ["abc"], "tokens": 12}
    assert Redaction().value(headers) == {
        "Authorization": HIDDEN,
        "X-Api-Key": HIDDEN,
        "session_token": HIDDEN,
        "tokens": 12,
    }
