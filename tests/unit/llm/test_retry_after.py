"""`Retry-After` in both of its forms; what cannot be understood says nothing."""

from datetime import UTC, datetime

import pytest

from planwarden.llm.wire.retry_after import retry_after_s

pytestmark = pytest.mark.requirement("LLM-22")

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 01:01:00 +0100", 60.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("Thu, 99 Jan 2026 00:01:00 GMT", None),
    ],
)
def test_seconds_and_dates_are_understood(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds
