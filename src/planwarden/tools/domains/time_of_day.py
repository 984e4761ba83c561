"""`utils.clock`: what time it is somewhere, from the call's own time."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Contract
from planwarden.errors import ToolFailed
from planwarden.tools.function import FunctionTool, tool
from planwarden.tools.tool import ToolContext


class ClockReading(Contract):
    """A moment in a time zone."""

    text: str
    iso: str
    zone: str
    date: str
    time: str
    weekday: str


def clock_tools() -> tuple[FunctionTool, ...]:
    """Make the clock."""
    return (clock,)


@tool(
    name="utils.clock",
    effect="read",
    description="Tell the current date, time and weekday, in UTC or in a given time zone or city.",
    examples=(
        ToolExample(
            request="What time is it in Tokyo?",
            arguments={"zone": "Asia/Tokyo"},
            returns={"zone": "Asia/Tokyo", "iso": "+09:00", "text": "In Asia/Tokyo it is "},
        ),
        "What is today's date?",
        "Which weekday is it?",
        "Current time in New York",
        "Is it already tomorrow in Sydney?",
    ),
    untrusted_output=False,
)
def clock(
    *,
    zone: Annotated[
        str,
        Field(
            description="IANA time zone, like Europe/Berlin, or UTC",
            max_length=64,
            examples=sorted(name for name in available_timezones() if name.count("/") == 1),
        ),
    ] = "UTC",
    context: ToolContext,
) -> ClockReading:
    """Tell the current date and time."""
    name = _zone_name(zone)
    moment = context.now.astimezone(ZoneInfo(name))
    weekday = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[moment.weekday()]
    return ClockReading(
        text=f"In {name} it is {moment:%H:%M} on {weekday}, {moment:%Y-%m-%d}.",
        iso=moment.isoformat(timespec="seconds"),
        zone=name,
        date=f"{moment:%Y-%m-%d}",
        time=f"{moment:%H:%M:%S}",
        weekday=weekday,
    )


def _zone_name(wanted: str) -> str:
    """Give the IANA name for a zone or a city, never a path."""
    plain = wanted.strip().casefold().replace(" ", "_")
    known = _zones().get(plain)
    if known is None:
        raise ToolFailed(
            f"there is no time zone '{wanted[:64]}'.", remedy="Use an IANA name such as Europe/Berlin."
        )
    try:
        ZoneInfo(known)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ToolFailed(
            f"the time zone '{known}' cannot be read.", remedy="Install the package tzdata."
        ) from error
    return known


@lru_cache(maxsize=1)
def _zones() -> dict[str, str]:
    names = sorted(available_timezones() | {"UTC"})
    cities = {name.rsplit("/", maxsplit=1)[-1].casefold(): name for name in reversed(names) if "/" in name}
    return cities | {name.casefold(): name for name in names}
