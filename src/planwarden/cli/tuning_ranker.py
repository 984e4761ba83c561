"""`planwarden tune ranker`: fit what ranks the tools before any model is asked."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planwarden.app import Planwarden
from planwarden.cli.exits import Exit
from planwarden.cli.output import err, plain, print_json, say, stop
from planwarden.cli.running import AsJson, with_planwarden

if TYPE_CHECKING:
    from planwarden.evaluation.intervals import Estimate
    from planwarden.tuning.ranker import TunedRanker


def ranker(
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Tasks with gold plans; may be given again."),
    ] = None,
    own: Annotated[
        bool, typer.Option("--own-tasks/--no-own-tasks", help="Also learn from the labelled tasks that ship.")
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where the weights go, in place of being used."),
    ] = None,
    always: Annotated[bool, typer.Option("--always", help="Write them even if they are not better.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fit the ranker, measure it on held-out tasks, use it only if it is better (exit 3 if not)."""
    # Imported here: only this command needs it, and it is not quick.
    from planwarden.evaluation.fitting import shipped_labelled  # noqa: PLC0415 - see above
    from planwarden.evaluation.plan_tasks import read_plan_tasks  # noqa: PLC0415 - see above
    from planwarden.planning.ranking.weights import SHIPPED  # noqa: PLC0415 - see above
    from planwarden.tuning.ranker import tune_ranker  # noqa: PLC0415 - see above

    async def work(planwarden: Planwarden) -> TunedRanker:
        tasks = read_plan_tasks(data) if data else ()
        with err.status("reading") as shown:
            shipped = await asyncio.to_thread(shipped_labelled) if own else ()
            return await asyncio.to_thread(
                tune_ranker,
                tasks,
                shipped,
                out or planwarden.settings.ranker_file,
                planwarden.settings.ranker_in_force or (SHIPPED if SHIPPED.is_file() else None),
                always=always,
                tell=shown.update,
            )

    tuned = with_planwarden(work, as_json=as_json)
    if as_json:
        said = asdict(tuned)
        print_json({**said, "written": str(tuned.written) if tuned.written else None})
    else:
        _show(tuned)
    if tuned.written is None:
        stop(Exit.NO_GOOD_ANSWER)


def _show(tuned: TunedRanker) -> None:
    say(f"{tuned.tasks} tasks, {tuned.held_out} of them held out for measuring")
    if tuned.unreadable:
        say(plain(f"{tuned.unreadable} Compared with those that ship instead, if there are any."))
    if tuned.before is not None and tuned.gain is not None:
        which = "that ship" if tuned.unreadable else "in force"
        say(f"node-F1 of the weights {which} {_said(tuned.before)}; gain, task by task, {_said(tuned.gain)}")
    say(f"node-F1 of the new ones, fitted without those tasks, {_said(tuned.after)}")
    if tuned.written is None:
        say("not written: not better beyond doubt (the interval of the gain has to lie above 0)")
    else:
        say(plain(f"fitted on all tasks and written to {tuned.written}"))


def _said(found: Estimate) -> str:
    return f"{found.mean:.3f} ({found.low:.3f} to {found.high:.3f})"
