"""`planwarden tune router`: fit the baseline router of `planwarden shadow`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planwarden.app import Planwarden
from planwarden.cli.files import write_file
from planwarden.cli.output import err, plain, print_json, say
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.errors import DataRejected

if TYPE_CHECKING:
    from planwarden.evaluation.router.settings import RouterRecord, Scored

LEAST_TASKS = 20
"""Fewer teach nothing that could be measured."""


def router(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where the settings go.")],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Tasks with gold plans; may be given again."),
    ] = None,
    own: Annotated[
        bool, typer.Option("--own-tasks/--no-own-tasks", help="Also fit on the labelled tasks that ship.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Fit the keyword and BM25 router in cross-validation, for `planwarden shadow --router FILE`."""

    async def work(planwarden: Planwarden) -> RouterRecord:
        with err.status("reading") as shown:
            day = planwarden.clock.now().date().isoformat()
            record = await asyncio.to_thread(_fitted, tuple(data or ()), day, own=own, tell=shown.update)
            await asyncio.to_thread(write_file, out, record.model_dump_json(indent=2) + "\n", "--out")
            return record

    record = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    sources = ", ".join(f"{name} {count}" for name, count in record.fitted_on.items())
    say(f"fitted on {plain(sources)}; {record.tried} settings tried")
    say(
        f"on tasks of other folds: F1 of the tools {_said(record.node_f1)}, "
        f"exactly right {_said(record.exact)}"
    )
    if record.agents is not None:
        say(f"agents right {_said(record.agents)}")
    say(plain(f"written to {out}"))


def _fitted(data: tuple[Path, ...], day: str, *, own: bool, tell: Callable[[str], None]) -> RouterRecord:
    # Imported here: only this command needs it, and it is not quick.
    from planwarden.evaluation.calibration.tasks import of_offered, of_own  # noqa: PLC0415 - see above
    from planwarden.evaluation.own_benchmark import shipped_world  # noqa: PLC0415 - see above
    from planwarden.evaluation.own_tasks import shipped_own_tasks  # noqa: PLC0415 - see above
    from planwarden.evaluation.plan_tasks import read_plan_tasks  # noqa: PLC0415 - see above
    from planwarden.evaluation.router.fit import fit_router  # noqa: PLC0415 - see above

    tasks = [of_offered(task) for task in read_plan_tasks(data)] if data else []
    if own:
        with tempfile.TemporaryDirectory(prefix="planwarden-tune-") as state:
            world = shipped_world(Path(state))
        mine = (task for task in shipped_own_tasks() if task.split == "train")
        tasks = [*(of_own(task, world.catalog, world.policy) for task in mine), *tasks]
    if len(tasks) < LEAST_TASKS:
        raise DataRejected(
            f"{len(tasks)} tasks are too few to fit a router on.",
            remedy=f"Give files with {LEAST_TASKS} tasks at least, or add --own-tasks.",
        )
    return fit_router(tasks, at=day, progress=tell)


def _said(found: Scored) -> str:
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"
