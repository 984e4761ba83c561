"""Commands that plan and run: plan, run, resume, resolve, cancel."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import anyio
import typer

from planwarden.app import Planwarden, RunResult
from planwarden.cli.exits import exit_of_run
from planwarden.cli.output import configure_log, fail, plain, print_json, say, stop, tell
from planwarden.cli.report import run_report
from planwarden.cli.show import Progress, show_answer, show_model, show_outcome, show_plan, show_refusals
from planwarden.cli.task_input import make_task, this_person
from planwarden.configuration.settings import load_settings
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.task import Task
from planwarden.contracts.value import Json
from planwarden.errors import (
    InputError,
    PlanDenied,
    PlanRejected,
    PlanwardenError,
    PromptTooLong,
    TaskRejected,
)

if TYPE_CHECKING:
    from planwarden.orchestration.orchestrator import Resolution

T = TypeVar("T")

MAX_READ = 16 * 2**20
"""Bytes of a plan file that are read; far more than a plan may have."""
INTERRUPTED = 130
"""The exit code that shells give a command ended by Ctrl-C."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else on stdout.")]
Config = Annotated[Path | None, typer.Option("--config", help="The catalog file to use.", dir_okay=False)]
TaskText = Annotated[str, typer.Argument(metavar="TASK", help="What is to be done; '-' reads it from stdin.")]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data", metavar="PATH", help="A file or folder with tables or documents; may be given again."
    ),
]
Conversation = Annotated[
    str | None,
    typer.Option("--conversation", metavar="ID", help="Earlier runs of this id are what was said before."),
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run id, as `planwarden runs` lists them.")]


def with_planwarden(
    work: Callable[[Planwarden], Awaitable[T]],
    *,
    as_json: bool,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> T:
    """Run some async work with an open Planwarden; say errors as a person needs them.

    `overrides` are settings that the command line gives in place of the environment's.
    """

    async def opened() -> T:
        given = {**(overrides or {}), **({"planwarden_config": config} if config else {})}
        settings = load_settings(given)
        configure_log(settings.planwarden_log)
        async with Planwarden.open(settings) as planwarden:
            done = await work(planwarden)
            if (trouble := planwarden.shadow.trouble) is not None:
                tell(f"[yellow]not shadowed[/]: {plain(str(trouble))}")
            return done

    try:
        return anyio.run(opened)
    except PlanwardenError as error:
        fail(error, as_json=as_json)
    except KeyboardInterrupt:
        tell(
            "interrupted; a run that had begun is in the journal: `planwarden runs`, `planwarden resume RUN`"
        )
        raise typer.Exit(INTERRUPTED) from None


def plan(
    task: TaskText,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
    conversation: Conversation = None,
) -> None:
    """Plan a task and show the plan; run nothing."""

    async def work(planwarden: Planwarden) -> PlannerPlan:
        wanted = make_task(task, data, conversation)
        return await _planned(planwarden, wanted, as_json=as_json)

    made = with_planwarden(work, as_json=as_json, config=config)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        show_plan(made)


async def _planned(planwarden: Planwarden, task: Task, *, as_json: bool) -> PlannerPlan:
    """Have a task planned; refuse where nothing may be planned.

    Raises:
        TaskRejected: it does not fit the model's context.
        PlanDenied: policy leaves nothing to plan.
    """
    await planwarden.world(task.data)  # mistakes in catalog and data are said before any model is opened
    if not as_json:
        show_model("planner", (await planwarden.models()).planner.identity)
    planning = await planwarden.plan_task(task)
    show_refusals(planning.decision)
    if planning.decision.plan is not None:
        return planning.decision.plan
    last = planning.decision.refusals[-1]
    if last.reason == PromptTooLong.code:
        raise TaskRejected(last.message, remedy="Shorten the task, or raise PLANNER_LLM__NUM_CTX.")
    raise PlanDenied(
        f"Nothing may be planned: {last.message.rstrip('.')}.",
        remedy="Look at the policies in the catalog file.",
    )


def run(
    task: TaskText,
    as_json: AsJson = False,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", help="Follow this plan (JSON, schema version 2) in place of a new one."),
    ] = None,
    data: Data = None,
    config: Config = None,
    conversation: Conversation = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Plan, show every verdict, run nothing.")
    ] = False,
) -> None:
    """Plan a task, carry it out under the plan and the policy, answer, and write the dossier."""
    listener = None if as_json else Progress()

    async def work(planwarden: Planwarden) -> RunResult | None:
        wanted = make_task(task, data, conversation)
        brought = await planwarden.accept_plan(read_plan_file(plan_file), wanted) if plan_file else None
        if dry_run:
            await _dry_run(planwarden, wanted, brought, as_json=as_json)
            return None
        return await planwarden.route_task(wanted, brought, listener)

    result = with_planwarden(work, as_json=as_json, config=config)
    if result is not None:
        _finish(result, as_json=as_json)


async def _dry_run(planwarden: Planwarden, task: Task, brought: PlannerPlan | None, *, as_json: bool) -> None:
    world = await planwarden.world(task.data)
    decided = brought or await _planned(planwarden, task, as_json=as_json)
    verdicts: list[dict[str, Any]] = [
        {
            "step": step.id,
            "agent": step.agent,
            "tool": tool,
            **_verdict(world.policy.decide(step.agent, tool)),
        }
        for step in decided.steps
        for tool in (*step.tools, *step.fallback_tools)
    ]
    if as_json:
        print_json({"dry_run": True, "plan": decided.model_dump(mode="json"), "verdicts": verdicts})
        return
    show_plan(decided)
    say()
    for verdict in verdicts:
        said = f"{verdict['verdict']} ({verdict['rule']}: {verdict['reason']})"
        say(plain(f"{verdict['step']} {verdict['tool']}: {said}"))
    say("[dim]dry run: nothing was run, nothing was recorded[/]")


def _verdict(verdict: Any) -> dict[str, Any]:  # noqa: ANN401 - one of the verdicts
    return verdict.model_dump(mode="json")


def read_plan_file(path: Path) -> bytes:
    """Read a plan that somebody brings along, as bytes not looked at yet.

    Raises:
        PlanRejected: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_READ)
    except OSError as error:
        raise PlanRejected(
            f"The plan file {path} cannot be read: {error.strerror}.", remedy="Name an existing file."
        ) from error


def _finish(result: RunResult, *, as_json: bool) -> None:
    if as_json:
        print_json(run_report(result.dossier))
    else:
        show_answer(result.answer)
        show_outcome(result.dossier, str(result.dossier_path))
    stop(exit_of_run(result.state))


def resume(run_id: RunId, as_json: AsJson = False, config: Config = None) -> None:
    """Go on with an interrupted run from where its journal ends."""
    listener = None if as_json else Progress()

    async def work(planwarden: Planwarden) -> RunResult:
        return await planwarden.resume(run_id, listener)

    _finish(with_planwarden(work, as_json=as_json, config=config), as_json=as_json)


def resolve(
    run_id: RunId,
    done: Annotated[bool, typer.Option("--done", help="The call in doubt did happen.")] = False,
    not_done: Annotated[bool, typer.Option("--not-done", help="The call in doubt did not happen.")] = False,
    approve: Annotated[bool, typer.Option("--approve", help="What waits may happen.")] = False,
    deny: Annotated[bool, typer.Option("--deny", help="What waits must not happen.")] = False,
    call: Annotated[str | None, typer.Option("--call", help="Which call, where several wait.")] = None,
    result: Annotated[
        str | None, typer.Option("--result", help="With --done: what it returned, as JSON.")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who says so; else the user of this machine.")
    ] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Release a waiting run: settle a call in doubt, or approve what needs a person; then go on with it."""
    said: list[tuple[Resolution, bool]] = [
        ("done", done),
        ("not_done", not_done),
        ("approve", approve),
        ("deny", deny),
    ]
    chosen: list[Resolution] = [resolution for resolution, given in said if given]
    listener = None if as_json else Progress()

    async def work(planwarden: Planwarden) -> RunResult:
        if len(chosen) != 1:
            raise InputError(
                "Say exactly one thing about the run.", remedy="One of --done, --not-done, --approve, --deny."
            )
        return await planwarden.resolve(
            run_id,
            chosen[0],
            by=by or this_person(),
            call_id=call,
            result=_json(result),
            listener=listener,
        )

    _finish(with_planwarden(work, as_json=as_json, config=config), as_json=as_json)


def _json(text: str | None) -> Json:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(
            f"--result is not JSON: {error}.", remedy='For example --result \'{"text": "sent"}\'.'
        ) from error


def cancel(
    run_id: RunId,
    by: Annotated[
        str | None, typer.Option("--by", help="Who says so; else the user of this machine.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Stop a run; a live process that runs it stops within about a second."""

    async def work(planwarden: Planwarden) -> RunResult:
        return await planwarden.cancel(run_id, by=by or this_person())

    result = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json(run_report(result.dossier))
    elif result.status == "cancelled":
        say(f"{run_id} is cancelled")
    else:
        tell(f"{run_id} is being run by another process, which stops it within about a second")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (plan, run, resume, resolve, cancel):
        app.command()(command)
