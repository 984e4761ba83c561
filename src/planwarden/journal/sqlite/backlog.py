"""The backlog, counted in the journal's file."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import datetime

from planwarden.journal.backlog import Backlog
from planwarden.journal.leasing import IsDead, is_live
from planwarden.journal.sqlite.rows import run_row

_OPEN = {"running": "interrupted", "waiting": "waiting", "in_doubt": "in_doubt"}
"""How a run stands that is not over, and under what it counts."""


def backlog(connection: sqlite3.Connection, *, now: datetime, is_dead: IsDead) -> Backlog:
    """Count what nobody works on; looks only at runs that are not over and were begun here.

    Raises:
        StoreCorrupt: a run's row is not one that we wrote.
    """
    rows = connection.execute(
        "SELECT facets.value, runs.run_id FROM facets JOIN runs USING (number)"
        " WHERE facets.kind = 'status' AND facets.value IN (?, ?, ?) AND runs.origin IS NULL",
        tuple(_OPEN),
    ).fetchall()
    counts = Counter(
        _OPEN[status]
        for status, run_id in rows
        if not is_live(run_row(connection, run_id).holding, now=now, is_dead=is_dead)
    )
    posted: tuple[int] = connection.execute(
        "SELECT count(*) FROM inbox JOIN runs USING (run_id) WHERE runs.last_kind <> 'run_ended'"
    ).fetchone()
    return Backlog(**counts, posted=posted[0])
