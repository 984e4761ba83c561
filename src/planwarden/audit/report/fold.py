"""From summaries of runs, as they come, to the report of a period."""

from __future__ import annotations

from collections.abc import AsyncIterable, Collection
from datetime import datetime, timedelta

from planwarden.audit.report.figures import PeriodReport
from planwarden.audit.report.tally import Tally
from planwarden.contracts.summary import RunSummary
from planwarden.journal.index import Unreadable

MAX_SLOTS = 31
_WIDTHS = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 360)),
    *(timedelta(days=days) for days in (1, 7, 28, 91, 364, 3640)),
)


async def period_report(
    summaries: AsyncIterable[RunSummary | Unreadable],
    *,
    since: datetime,
    until: datetime,
    tenant: str | None = None,
    left_out: Collection[str] = frozenset(),
) -> PeriodReport:
    """Add up the runs that began from `since` on and before `until`.

    A period that begins before the first run of all is shortened to where that one began: an empty stretch
    before there was a journal would say nothing.

    Args:
        summaries: of the whole journal, oldest first.
        since: where the period begins.
        until: where it ends, later.
        tenant: whose runs are wanted; None takes all.
        left_out: ids of imported runs, which are not counted; that they were there is said.
    """
    tally: Tally | None = None
    unreadable = imported = 0
    async for each in summaries:
        if each.run_id in left_out:
            imported += isinstance(each, RunSummary) and _within(each, since, until, tenant)
            continue
        if isinstance(each, Unreadable):
            unreadable += 1
            continue
        if tally is None:
            tally = _begin(max(since, each.started_at) if each.started_at < until else since, until)
        if _within(each, since, until, tenant):
            tally.add(each)
    found = tally if tally is not None else _begin(since, until)
    return found.report(unreadable=unreadable, tenant=tenant).model_copy(update={"imported": imported})


def _within(run: RunSummary, since: datetime, until: datetime, tenant: str | None) -> bool:
    return since <= run.started_at < until and tenant in (None, run.tenant)


def _begin(since: datetime, until: datetime) -> Tally:
    """Begin with nothing, in slots that begin at round moments (in UTC) and are few enough to plot."""
    width = next((each for each in _WIDTHS if (until - since) / each <= MAX_SLOTS - 1), _WIDTHS[-1])
    return Tally(since=since, first_slot=_floor(since, width), until=until, width=width)


def _floor(at: datetime, width: timedelta) -> datetime:
    monday = datetime(1970, 1, 5, tzinfo=at.tzinfo)
    try:
        return monday + (at - monday) // width * width
    except OverflowError:  # the first years that a date can have
        return at
