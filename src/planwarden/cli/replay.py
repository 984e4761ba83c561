"""The command that goes through a run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from planwarden.app import Planwarden
from planwarden.cli.exits import Exit
from planwarden.cli.output import out, plain, print_json, say, stop, tell
from planwarden.cli.running import AsJson, RunId, with_planwarden
from planwarden.cli.show import show_plan
from planwarden.contracts.event import RunEvent

if TYPE_CHECKING:
    from planwarden.app.archive.replay import PlannedAgain, Replayed


def command(
    run_id: RunId,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Also have the planner plan the task again, from the inputs of then."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fold a run's journal again to its dossier, event by event; nothing runs, nothing is recorded."""

    async def work(planwarden: Planwarden) -> tuple[Replayed, PlannedAgain | None]:
        # Imported here, for it brings in the planner, which the other commands start faster without.
        from planwarden.app.archive.replay import replay  # noqa: PLC0415 - see above

        replayed = await replay(planwarden.record, run_id)
        return replayed, await planwarden.plan_again(run_id) if plan else None

    replayed, again = with_planwarden(work, as_json=as_json)
    if as_json:
        print_json(_told(replayed) | ({"plan": _planned(again)} if plan else {}))
    else:
        _show(replayed)
        if plan:
            _show_plans(again)
    stop(Exit.VERIFICATION_FAILED if replayed.faults else Exit.DONE)


def _told(replayed: Replayed) -> dict[str, Any]:
    dossier = replayed.dossier
    return {
        "run_id": dossier.run_id,
        "ok": not replayed.faults,
        "status": dossier.status,
        "events": len(replayed.events),
        "head": dossier.head,
        "dossier_digest": replayed.dossier_digest,
        "exported": replayed.exported,
        "catalog_digest": dossier.catalog_digest,
        "policy_digest": dossier.policy_digest,
        "faults": [fault.model_dump(mode="json") for fault in replayed.faults],
    }


def _planned(again: PlannedAgain | None) -> dict[str, Any] | None:
    if again is None:
        return None
    return {
        "same": not again.differences,
        "differences": list(again.differences),
        "same_prompt": again.same_prompt,
        "same_model": again.same_model,
        "model_before": again.model_before.model_dump(mode="json"),
        "model_now": again.model_now.model_dump(mode="json"),
        "before": again.before.model_dump(mode="json"),
        "now": again.now.model_dump(mode="json"),
    }


def _show(replayed: Replayed) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("event", "after", "what", "of"):
        table.add_column(column, no_wrap=column != "of", overflow="fold")
    begun = replayed.events[0].at
    for event in replayed.events:
        after = (event.at - begun).total_seconds()
        table.add_row(str(event.seq), f"{after:.3f} s", event.fact.kind, plain(_subject(event)))
    out.print(table)
    if replayed.faults:
        for fault in replayed.faults:
            tell(f"[bold red]altered[/]  {plain(fault.problem)}")
        return
    same = "the same bytes as the exported file" if replayed.exported else "there is no exported file"
    out.print(
        f"[green]intact[/]  {replayed.dossier.run_id}: {replayed.dossier.status}; "
        f"dossier {replayed.dossier_digest}, {same}",
        soft_wrap=True,
    )


def _subject(event: RunEvent) -> str:
    """Name what an event is about: a call with its tool, a step with its agent, an outcome."""
    said: dict[str, Any] = event.fact.model_dump(mode="json")
    call: dict[str, Any] = said.get("call") or {}
    exchange: dict[str, Any] = said.get("exchange") or {}
    words: list[Any] = [
        said.get("call_id") or call.get("id") or said.get("step"),
        call.get("tool") or said.get("tool") or said.get("agent"),
        said.get("outcome") or said.get("refusal") or said.get("failure"),
        exchange.get("purpose"),
        said.get("by"),
    ]
    return " ".join(str(word) for word in words if word)


def _show_plans(again: PlannedAgain | None) -> None:
    if again is None:
        say("\nno planner planned this run: its plan was brought along, or none was decided")
        return
    say("\n[bold]planned again[/]")
    if again.now.plan is not None:
        show_plan(again.now.plan)
    for line in again.differences:
        say(f"[yellow]differs[/]  {plain(line)}")
    if not again.differences:
        say("[green]same plan[/]")
    prompt = (
        "the model was shown the very same" if again.same_prompt else "the model was shown something else"
    )
    weights = "the same model" if again.same_model else f"another model ({again.model_now.model})"
    say(f"[dim]{plain(f'{prompt}; {weights}')}[/]")


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("replay")(command)
