"""Commands over what is remembered of plans: memory add, list, forget, rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from planwarden.app import Planwarden
from planwarden.app.remembering import Rebuilt
from planwarden.cli.output import out, plain, print_json, say
from planwarden.cli.running import AsJson, Config, Data, read_plan_file, with_planwarden
from planwarden.cli.task_input import make_task
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.task import Task
from planwarden.errors import InputError

app = typer.Typer(
    help="What is remembered of plans: add examples, list, forget, learn anew from the journal.",
    no_args_is_help=True,
)

Tenant = Annotated[
    str, typer.Option("--tenant", metavar="ID", help="Whose; that of the command line's runs.")
]
_INDENT = 4
_DEFAULT = Task.model_fields["tenant"].default


@app.command()
def add(
    request: Annotated[
        str, typer.Argument(metavar="REQUEST", help="As somebody would ask; '-' reads it from stdin.")
    ],
    tools: Annotated[
        list[str] | None,
        typer.Option(
            "--tools",
            metavar="[AGENT/]TOOL,…",
            help="The tools of one step; given again, the next step, which builds on the one before.",
        ),
    ] = None,
    parallel: Annotated[
        bool, typer.Option("--parallel", help="With --tools: no step builds on another.")
    ] = False,
    nothing_fits: Annotated[
        bool, typer.Option("--nothing-fits", help="No tool is for this: general_agent answers without any.")
    ] = False,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", help="The plan as a file (JSON, schema version 2).")
    ] = None,
    tenant: Tenant = _DEFAULT,
    as_json: AsJson = False,
    data: Data = None,
    config: Config = None,
) -> None:
    """Give an example: for a request like this, that plan. It is validated against catalog and policy."""

    async def work(planwarden: Planwarden) -> RememberedPlan:
        if sum([bool(tools), nothing_fits, plan_file is not None]) != 1 or (parallel and not tools):
            raise InputError(
                "Say in one way which plan does the request.",
                remedy="One of --tools TOOL (again for each further step, with --parallel if none builds on "
                "another), --nothing-fits, --plan FILE.",
            )
        task = _of_tenant(make_task(request, data, None), tenant)
        if plan_file is not None:
            return await planwarden.add_example(read_plan_file(plan_file), task)
        from planwarden.cli.written_plan import written_plan  # noqa: PLC0415 - brings in jsonschema: slow

        world = await planwarden.world(task.data)
        text = written_plan(tools or (), world.catalog, world.policy, parallel=parallel)
        return await planwarden.add_example(text, task)

    added = with_planwarden(work, as_json=as_json, config=config)
    if as_json:
        print_json(added.model_dump(mode="json"))
    else:
        say(f"remembered [bold]{added.id}[/]: {plain(_shape(added))}")


@app.command("list")
def list_all(
    tenant: Tenant = _DEFAULT,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what is remembered of plans, newest first."""

    async def work(planwarden: Planwarden) -> tuple[RememberedPlan, ...]:
        return await planwarden.memory.listed(_checked(tenant), limit=limit)

    plans = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json([each.model_dump(mode="json") for each in plans])
    elif plans:
        _show(plans)
    else:
        say('nothing is remembered: completed runs teach, and `planwarden memory add "REQUEST" --tools TOOL`')


@app.command()
def forget(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="As `planwarden memory list` names them.")
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run", metavar="RUN", help="What this run taught or would teach, whosever tenant's it is."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is remembered of the tenant.")] = False,
    tenant: Tenant = _DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Delete for good what is remembered; the runs that taught it never teach it again.

    The runs themselves, with their requests, stay in the journal and in their dossiers.
    """

    async def work(planwarden: Planwarden) -> int:
        if sum([bool(ids), run_id is not None, everything]) != 1:
            raise InputError(
                "Say in one way what is to be forgotten.",
                remedy="One of ID (several, if need be), --run, --all.",
            )
        if run_id is not None:
            return await planwarden.forget_run(run_id)
        if everything:
            return await planwarden.memory.forget_all(_checked(tenant), at=planwarden.clock.now())
        return await planwarden.memory.forget(_checked(tenant), ids or ())

    count = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json({"forgotten": count})
    else:
        say(f"forgot {_plans(count)}" + (f"; run {plain(run_id)} will not teach" if run_id else ""))


@app.command()
def rebuild(as_json: AsJson = False) -> None:
    """Learn anew from all runs in the journal; examples stay, what was forgotten stays forgotten."""

    async def work(planwarden: Planwarden) -> Rebuilt:
        return await planwarden.rebuild_memory()

    made = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json({"runs": made.runs, "damaged": made.damaged, "remembered": made.remembered})
        return
    damaged = f"; {made.damaged} damaged, passed over" if made.damaged else ""
    read = "1 run" if made.runs == 1 else f"{made.runs} runs"
    say(f"{read} read, {_plans(made.remembered)} remembered of them{damaged}")


def _plans(count: int) -> str:
    return "1 plan" if count == 1 else f"{count} plans"


def _of_tenant(task: Task, tenant: str) -> Task:
    return task.model_copy(update={"tenant": _checked(tenant)})


def _checked(tenant: str) -> str:
    if not 1 <= len(tenant) <= 256:
        raise InputError(
            f"--tenant is {len(tenant)} characters long.", remedy="Give an id of 1 to 256 characters."
        )
    return tenant


def _shape(each: RememberedPlan) -> str:
    """Write the steps on one line: tools of a step joined by `+`, a step that builds on others after `→`."""
    if each.way_out is not None:
        return "asks back" if each.way_out == "ask_user" else "nothing fits: answered without tools"
    said = ""
    for position, step in enumerate(each.steps):
        joined = "" if position == 0 else " → " if step.depends_on else ", "
        said += joined + "+".join(step.tools)
    return said


def _show(plans: tuple[RememberedPlan, ...]) -> None:
    """Print remembered plans, two lines each: id, day, who taught it, plan; below it the request."""
    for each in plans:
        day = "–" if each.at is None else f"{each.at:%Y-%m-%d}"
        say(f"[bold]{each.id}[/]  {day}  {each.origin:<7}  {plain(_shape(each))}")
        request = Text.from_markup(plain(" ".join(each.request.split())))
        request.truncate(max(out.width - _INDENT, 40), overflow="ellipsis")
        out.print(Padding(request, (0, 0, 0, _INDENT)), soft_wrap=True)
        if each.conversation is not None:
            say(f"{' ' * _INDENT}[dim]only for conversation {plain(each.conversation)}[/]")
