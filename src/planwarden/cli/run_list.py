"""Runs as rows: for people a table, for programs a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from planwarden.cli.output import out, plain, say
from planwarden.contracts.run import RunState, final_answer
from planwarden.errors import RunErased, StoreCorrupt
from planwarden.journal.port import RunHead

NO_RUNS = 'no runs yet: planwarden run "What is the latest price of IBM?"'


def run_rows(found: Iterable[tuple[RunHead, RunState | StoreCorrupt | RunErased]]) -> list[dict[str, Any]]:
    """Give each run as `{run_id, owned, status, started_at, adherence, task, answer, origin}`."""
    return [
        {"run_id": head.run_id, "owned": head.owned, **_row(state), "origin": head.origin}
        for head, state in found
    ]


def show_runs(rows: list[dict[str, Any]], *, nothing: str = NO_RUNS) -> None:
    """Print runs as a table, names whole, tasks as far as they fit; `nothing` where there is none."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("run", "status", "adherence", "task"):
        table.add_column(column, no_wrap=True)
    beside = max((len(row["run_id"]) for row in rows), default=0) + len("  interrupted  adherence  ")
    for row in rows:
        adherence = "–" if row["adherence"] is None else f"{row['adherence']:.0%}"
        said = "(what it said was erased)" if row["status"] == "erased" else str(row["task"])
        told = f"(imported) {said}" if row["origin"] else said
        task = Text.from_markup(plain(" ".join(told.split())))
        task.truncate(max(out.width - beside, 8), overflow="ellipsis")
        interrupted = row["status"] == "running" and not row["owned"]
        status = "interrupted" if interrupted else row["status"]
        table.add_row(row["run_id"], status, adherence, task)
    if rows:
        out.print(table)
    else:
        say(nothing)


def _row(state: RunState | StoreCorrupt | RunErased) -> dict[str, Any]:
    if isinstance(state, RunErased):
        return {
            "status": "erased",
            "started_at": None,
            "adherence": None,
            "task": None,
            "answer": None,
        }
    if isinstance(state, StoreCorrupt):
        told = f"{state.message} {state.remedy}"
        return {"status": "damaged", "started_at": None, "adherence": None, "task": told, "answer": None}
    answer = final_answer(state)
    return {
        "status": state.status,
        "started_at": state.started_at.isoformat(),
        "adherence": state.adherence,
        "task": state.started.task.prompt,
        "answer": answer.text if answer else None,
    }
