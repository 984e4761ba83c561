"""Moments on the command line: `7d` before now, or a date or time of ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from planwarden.errors import InputError

_AGO = re.compile(r"([1-9][0-9]{0,5})([mhdw])")
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def moment(text: str, *, now: datetime, option: str) -> datetime:
    """Read a moment; one without a zone is in UTC, as the record's are.

    Args:
        text: `30m`, `12h`, `7d` or `2w` before now; `2026-11-01`, `2026-11-01T08:30`, with a zone or without.
        now: the present.
        option: what it was given as, for the error.

    Raises:
        InputError: it is none of these, or lies before the year 1.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago is not None:
            return now - int(ago[1]) * _UNITS[ago[2]]
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{option} is no moment: {text!r}.",
            remedy="Say how long ago, like 30m, 12h, 7d or 2w, or a date or time like 2026-11-01 or"
            " 2026-11-01T08:30+01:00.",
        ) from error


def moment_option(text: str | None, *, now: datetime, option: str) -> datetime | None:
    """Read a moment that may not have been given."""
    return None if text is None else moment(text, now=now, option=option)
