"""Durations and shares as people read them. Pure."""

from __future__ import annotations

from datetime import datetime


def seconds(amount: float | None) -> str:
    """Say a duration in its two largest units."""
    if amount is None:
        return "–"
    if amount < 1:
        return f"{amount * 1000:.0f} ms" if amount >= 0.01 or amount == 0 else f"{amount * 1000:.1f} ms"
    if amount < 60:
        return f"{amount:.1f} s"
    minutes, rest = divmod(round(amount), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"


def share(amount: float | None) -> str:
    """Say a share in per cent."""
    return "–" if amount is None else f"{amount:.0%}"


def moment(at: datetime) -> str:
    """Say a moment to the millisecond, in its own zone (the record is in UTC)."""
    return at.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")


def counted(number: int, one: str, many: str = "") -> str:
    """Say how many of something."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
