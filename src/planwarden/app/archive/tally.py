"""`Tally`: totals over all runs that are kept from one look to the next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict

from planwarden.audit.metrics.contribution import is_over
from planwarden.audit.metrics.totals import Totals
from planwarden.contracts.summary import RunSummary
from planwarden.journal.index import Unreadable
from planwarden.journal.sqlite.journal import SqliteJournal

_PAGE = 200
"""Runs that are held at a time."""


class Tally:
    """Adds up all runs that were begun here; imported ones another journal counts.

    What is over is added once and for all; each look reads only the others anew.

    One look at a time; one that fails loses nothing, the next goes on where it stopped.
    """

    def __init__(
        self,
        journal: Callable[[], Awaitable[SqliteJournal]],
        bring_up_to_date: Callable[[], Awaitable[object]],
    ) -> None:
        self._journal = journal
        self._bring_up_to_date = bring_up_to_date
        self._place = 0
        self._over = Totals()
        self._others: dict[str, None] = {}
        """Runs up to the place that are not over, not summarised yet or damaged."""

    async def look(self) -> Totals:
        """Give the totals as of now.

        Raises:
            StoreError: the journal or its index cannot be used.
        """
        await self._bring_up_to_date()
        journal = await self._journal()
        while page := await journal.runs_after(self._place, limit=_PAGE):
            found = await journal.index.of([run_id for _, run_id in page])
            imported = await journal.transfer.imported([run_id for _, run_id in page])
            self._others |= dict.fromkeys(run_id for _, run_id in page if run_id not in imported)
            self._place = page[-1][0]
            self._settle(found)
        still = Totals()
        for page in _pages(tuple(self._others)):
            found = await journal.index.of(page)
            self._settle(found)
            still = still.plus(run for run in found if isinstance(run, RunSummary) and not is_over(run))
            still = still.plus_damaged(sum(isinstance(run, Unreadable) for run in found))
        waits = asdict(await journal.backlog())
        return self._over.joined(still).plus_gauge("planwarden_queue_depth", waits)

    def _settle(self, found: Sequence[RunSummary | Unreadable]) -> None:
        """Add what is over, and need not look at it again."""
        over = [
            run
            for run in found
            if isinstance(run, RunSummary) and is_over(run) and run.run_id in self._others
        ]
        self._over = self._over.plus(over)
        for run in over:
            del self._others[run.run_id]


def _pages(run_ids: Sequence[str]) -> list[Sequence[str]]:
    return [run_ids[begin : begin + _PAGE] for begin in range(0, len(run_ids), _PAGE)]
