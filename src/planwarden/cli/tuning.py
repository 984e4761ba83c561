"""`planwarden tune planner`: teach the embedded model to plan for your tools."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from planwarden.app import Planwarden
from planwarden.cli.exits import Exit
from planwarden.cli.output import err, plain, print_json, say, stop
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.cli.tuning_ranker import ranker
from planwarden.cli.tuning_router import router
from planwarden.errors import DataRejected

if TYPE_CHECKING:
    from rich.status import Status

    from planwarden.evaluation.intervals import Estimate
    from planwarden.evaluation.plan_benchmark import Judged
    from planwarden.tuning.beginning import Beginning
    from planwarden.tuning.judging import Tuned
    from planwarden.tuning.training import Recipe, Step
    from planwarden.tuning.tune import Progress

app = typer.Typer(help="Tune: teach the embedded model your tools.", no_args_is_help=True)


class Device(StrEnum):
    """Where to train."""

    CPU = "cpu"
    CUDA = "cuda"


@app.callback()
def tuning() -> None:
    """Hold the commands that tune."""


app.command("ranker")(ranker)
app.command("router")(router)


@app.command("planner")
def planner(
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Tasks with gold plans; may be given again."),
    ] = None,
    from_journal: Annotated[
        bool, typer.Option("--from-journal", help="Also learn from remembered plans of your own runs.")
    ] = False,
    tenant: Annotated[str, typer.Option("--tenant", help="Whose remembered plans.")] = "default",
    own: Annotated[
        bool, typer.Option("--own-tasks", help="Also learn from the labelled tasks that ship.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where adapter, Modelfile and card go.")
    ] = None,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="How often each task is seen.")] = 8,
    rank: Annotated[
        int,
        typer.Option(
            "--rank", min=1, max=256, help="Of the adapter; training goes on only from one of the same rank."
        ),
    ] = 16,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Stop after so many, for a try.")
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Begin with no adapter, not with the one in use.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 7,
    device: Annotated[Device, typer.Option("--device", help="Where to train.")] = Device.CPU,
    as_json: AsJson = False,
) -> None:
    """Train an adapter, measure it on held-out tasks, install it only if it plans better (exit 3 if not)."""
    recipe = _recipe(epochs=epochs, rank=rank, seed=seed, device=device, steps=steps)

    async def work(planwarden: Planwarden) -> Tuned:
        # Imported here: only this command needs it, and it is not quick.
        from planwarden.tuning.tune import Order, tune_planner  # noqa: PLC0415 - see above

        if not data and not from_journal:
            raise DataRejected(
                "There is nothing to learn from.", remedy="Name files with --data, or give --from-journal."
            )
        order = Order(
            files=tuple(data or ()),
            from_journal=tenant if from_journal else None,
            own=own,
            from_scratch=from_scratch,
            folder=out or planwarden.settings.adapter_folder / "candidate",
            recipe=recipe,
        )
        with err.status("reading tasks") as shown:
            return await tune_planner(planwarden, order, _told(shown))

    _report(with_planwarden(work, as_json=as_json), as_json=as_json)


def _recipe(*, epochs: int, rank: int, seed: int, device: Device, steps: int | None) -> Recipe:
    from planwarden.tuning.llama import Lora  # noqa: PLC0415 - only this command needs it
    from planwarden.tuning.training import Recipe  # noqa: PLC0415 - only this command needs it

    lora = Lora(rank=rank, alpha=2.0 * rank)
    return Recipe(epochs=epochs, lora=lora, seed=seed, device=device.value, most_steps=steps)


def _told(shown: Status) -> Progress:
    """Show how far things are; what training begins with stays on the screen."""
    from planwarden.tuning.tune import Progress  # noqa: PLC0415 - only this command needs it

    planned: list[str] = []

    def begins(start: Beginning) -> None:
        err.print(plain(f"training {start.said}"))

    def now(what: str) -> None:
        planned.clear()
        shown.update(what)

    def trained(step: Step) -> None:
        shown.update(f"training: step {step.number} of {step.of}, loss {step.loss:.3f}")

    def judged(each: Judged) -> None:
        planned.append(each.task.id)
        shown.update(f"planning held-out tasks: {len(planned)}")

    return Progress(begins=begins, now=now, trained=trained, planned=judged)


def _report(tuned: Tuned, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {name: str(value) if isinstance(value, Path) else value for name, value in asdict(tuned).items()}
        )
    else:
        _show(tuned)
    if tuned.installed is None:
        stop(Exit.NO_GOOD_ANSWER)


def _show(tuned: Tuned) -> None:
    verdict = tuned.verdict
    say(f"trained on {tuned.trained_on} tasks")
    say(f"measured on {tuned.held_out} tasks that were held out")
    say(f"node-F1 before {_said(verdict.before)}, after {_said(verdict.after)}, gain {_said(verdict.gain)}")
    say(f"seconds a plan: {tuned.seconds_before:.2f} before, {tuned.seconds_after:.2f} after")
    say(plain(f"adapter, Modelfile for Ollama and data card: {tuned.adapter.parent}"))
    if tuned.installed is None:
        say("not installed: it is not better beyond doubt (the interval of the gain has to lie above 0)")
    else:
        say(plain(f"installed as {tuned.installed}; PLANNER_LLM__ADAPTER=auto uses it"))


def _said(estimate: Estimate) -> str:
    return f"{estimate.mean:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
