"""`JournalWatch`: totals over a journal for as long as a process lives, the journal may come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from planwarden.app.archive.tally import Tally
from planwarden.app.planwarden import Planwarden
from planwarden.audit.log import log_unreadable
from planwarden.audit.metrics.totals import Totals
from planwarden.configuration.settings import Settings
from planwarden.errors import StoreError, StoreUnavailable

Told = Callable[[StoreError | None], None]
"""Hears of each new trouble once, and with None of its end."""


class JournalWatch:
    """Looks at a journal when asked. Who asks meanwhile gets the same look.

    A journal that cannot be used, is gone or was replaced is opened anew at the next look, and added up anew.
    """

    def __init__(self, settings: Settings, told: Told) -> None:
        self._settings = settings
        self._told = told
        self._planwarden: Planwarden | None = None
        self._tally: Tally | None = None
        self._file: tuple[int, int] | None = None
        """Which file was opened last; None before the first."""
        self._looking: asyncio.Task[Totals | StoreError] | None = None
        self._trouble: str | None = None

    def begin(self) -> asyncio.Task[Totals | StoreError]:
        """Begin to look, if nobody looks already: a first look over many runs takes its time."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return self._looking

    async def totals(self) -> Totals | StoreError:
        """Give the totals as of now; who gives up waiting does not stop the look."""
        return await asyncio.shield(self.begin())

    async def aclose(self) -> None:
        """Stop looking and close the journal."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._close()

    async def _look(self) -> Totals | StoreError:
        try:
            totals = await (await self._opened()).look()
        except StoreError as error:
            await self._close()
            if self._trouble != error.message:
                log_unreadable(error)
                self._told(error)
            self._trouble = error.message
            return error
        if self._trouble is not None:
            self._told(None)
        self._trouble = None
        return totals

    async def _opened(self) -> Tally:
        """Give the tally over the journal that is there now.

        Raises:
            StoreUnavailable: it was there and is gone.
        """
        path = self._settings.journal_path
        file = _identity(path)
        if self._file is not None and file is None:
            raise StoreUnavailable(
                f"The journal {path} is gone.", remedy="Put it back, or restore it from a copy."
            )
        if self._tally is not None and file == self._file:
            return self._tally
        await self._close()
        planwarden = self._planwarden = Planwarden(self._settings, ())
        await planwarden.journal()
        self._file = _identity(path)
        self._tally = planwarden.record.tally()
        return self._tally

    async def _close(self) -> None:
        planwarden, self._planwarden, self._tally = self._planwarden, None, None
        if planwarden is not None:
            await planwarden.aclose()


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell one file from another that took its name; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
