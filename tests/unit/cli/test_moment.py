"""Moments on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.cli.moment import moment, moment_option
from planwarden.errors import InputError

pytestmark = pytest.mark.requirement("IDX-2")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("12h", NOW - timedelta(hours=12)),
        ("7d", NOW - timedelta(days=7)),
        (" 2w ", NOW - timedelta(days=14)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:30", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30+01:00", datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_as_how_long_ago_or_as_a_date_or_time(text: str, at: datetime) -> None:
    assert moment(text, now=NOW, option="--since") == at


@pytest.mark.parametrize("text", ["", "yesterday", "0d", "-1d", "7", "7x", "999999w", "2026-13-01", "7 d"])
def test_what_is_no_moment_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(InputError, match="--until is no moment"):
        moment(text, now=NOW, option="--until")


@given(st.text())
def test_any_text_is_a_moment_with_a_zone_or_refused(text: str) -> None:
    try:
        read = moment(text, now=NOW, option="--since")
    except InputError:
        return
    assert read.tzinfo is not None


def test_a_moment_that_was_not_given_is_none() -> None:
    assert moment_option(None, now=NOW, option="--since") is None
