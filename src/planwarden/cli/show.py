"""Plans, progress and results as a person reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from planwarden.audit.page.amounts import counted
from planwarden.cli.output import out, plain, say, tell
from planwarden.contracts import facts as f
from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.event import RunEvent
from planwarden.contracts.model import ModelExchange, ModelIdentity
from planwarden.contracts.plan import PlanDecision, PlanMetadata, PlannerPlan
from planwarden.contracts.run import CallState
from planwarden.contracts.value import Json

MIN_REASON_WIDTH = 24
"""Columns that the reasons of a plan need at least to stand beside the rest."""

NO_TOOLS = "no tools planned"
_STATUS_STYLE = {
    "completed": "green",
    "waiting": "yellow",
    "in_doubt": "yellow",
    "running": "yellow",
    "asked": "yellow",
}


def show_plan(plan: PlannerPlan) -> None:
    """Print a plan as a table; the reasons below it where they do not fit beside the rest."""
    table = _plan_table(plan, with_reasons=True)
    fits = _width(table) + MIN_REASON_WIDTH <= out.width
    if not fits:
        table = _plan_table(plan, with_reasons=False)
    if fits or _width(table) <= out.width:
        out.print(table)
    else:
        _list_steps(plan)
    if not fits:
        for step in plan.steps:
            say(f"[dim]{step.id} because:[/] {plain(step.reason) or '–'}")
    meta = plan.metadata
    parts = [f"source {meta.source}", f"hand-off {meta.handoff_strategy}"]
    if meta.way_out:
        parts.append(f"way out: {meta.way_out}")
    if meta.latency_s is not None:
        parts.append(f"{meta.latency_s:.1f} s, {meta.prompt_tokens} tokens in, {meta.output_tokens} out")
    parts.append(f"confidence {plan.confidence:.2f} ({_method(plan)})")
    say(f"[dim]{' · '.join(parts)}[/]")
    if meta.mode is not None:
        say(f"[dim]{who_decided(meta)}[/]")


def who_decided(meta: PlanMetadata) -> str:
    """Say in one line how much of a plan the model decided."""
    if meta.model is None:
        return "decided without the model"
    if meta.mode == "model":
        return "decided by the model alone"
    made = [choice for choice in meta.choices if choice.decided_by != "rule"]
    moved = sum(choice.decided_by == "model" for choice in made)
    return f"the model's share {meta.model_share or 0.0:.0%}, {moved} of {len(made)} choices moved by it"


def _plan_table(plan: PlannerPlan, *, with_reasons: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("step", "agent", "tools", "fallbacks", "after", "sure"):
        table.add_column(column, no_wrap=True)
    if with_reasons:
        table.add_column("why", overflow="fold")
    for step in plan.steps:
        cells = [
            step.id,
            step.agent,
            "\n".join(step.tools) or "[dim]none[/]",
            "\n".join(step.fallback_tools) or "[dim]–[/]",
            ", ".join(step.depends_on) or "[dim]–[/]",
            f"{step.confidence:.2f}",
        ]
        table.add_row(*cells, *([plain(step.reason)] if with_reasons else []))
    return table


def _width(table: Table) -> int:
    """Give how many characters a table's unbreakable columns take."""
    return sum(
        max(cell_len(line) for cell in [column.header, *column.cells] for line in _lines(cell)) + 2
        for column in table.columns
        if column.no_wrap
    )


def _lines(cell: RenderableType) -> list[str]:
    return str(Text.from_markup(str(cell))).splitlines() or [""]


def _list_steps(plan: PlannerPlan) -> None:
    """Print steps one below the other, for terminals too narrow for their names side by side."""
    for step in plan.steps:
        after = f", after {', '.join(step.depends_on)}" if step.depends_on else ""
        say(f"[bold]{step.id}[/] {step.agent} [dim](sure {step.confidence:.2f}{after})[/]")
        for tool in step.tools:
            say(f"   {tool}")
        for tool in step.fallback_tools:
            say(f"   [dim]fallback[/] {tool}")


def _method(plan: PlannerPlan) -> str:
    method = plan.metadata.confidence_method
    if method.method == "none":
        return "not measured"
    return f"from {method.method.replace('_', ' ')}, {'calibrated' if method.calibrated else 'uncalibrated'}"


def show_refusals(decision: PlanDecision) -> None:
    """Print why the model's own plan was refused, where it was."""
    for refusal in decision.refusals:
        rung = f"{refusal.rung}, {refusal.inner}" if refusal.inner else refusal.rung
        tell(f"[yellow]refused at {rung}[/] ({refusal.reason}): {plain(refusal.message)}")


class Progress:
    """Prints what happens while it happens; streaming is reading the events that the run writes."""

    def __init__(self) -> None:
        self._tools: dict[str, str] = {}
        self._told: tuple[ModelIdentity, ...] = ()

    def __call__(self, event: RunEvent) -> None:  # noqa: C901, PLR0912 - one arm per fact worth a line
        """Print one event."""
        match event.fact:
            case f.RunStarted() as started:
                self._models(started)
            case f.ModelAnswered(step=step, exchange=exchange):
                _show_trouble(step, exchange)
            case f.PlanDecided(decision=decision):
                show_refusals(decision)
                if decision.plan is not None:
                    say()
                    show_plan(decision.plan)
                    say()
            case f.StepStarted(step=step, agent=agent, execution=execution):
                say(f"[bold]{step}[/] {agent}" + (" [dim]free[/]" if execution == "free" else ""))
            case f.ExecutionFell(reason=reason, message=message):
                say(f"   [yellow]goes on directed[/] ({reason}) {plain(message)}")
            case f.CallIntended(call=call, verdict=verdict):
                self._tools[call.id] = call.tool
                arguments = _arguments(call.arguments)
                say(f"   {call.id} {call.tool} {arguments}")
                role = "fallback, " if call.role == "fallback" else ""
                say(f"      [green]{verdict.verdict}[/] [dim]{role}rule {plain(verdict.rule)}[/]")
            case f.CallReturned(call_id=call_id, duration_s=seconds):
                say(f"      [green]returned[/] [dim]{call_id} in {seconds * 1000:.0f} ms[/]")
            case f.CallFailed(message=message, failure=failure):
                say(f"      [red]failed[/] ({failure}) {plain(message)}")
            case f.CallRefused(tool=tool, refusal=refusal, message=message):
                say(f"   {plain(tool)}  [red]refused[/] ({refusal}) {plain(message)}")
            case f.ApprovalAsked(call=call, verdict=verdict):
                say(f"   {call.id} {call.tool} {_arguments(call.arguments, whole=True)}")
                why = plain(f"rule {verdict.rule}: {verdict.reason}")
                say(f"      [yellow]needs approval[/] [dim]{why}[/]")
            case f.CallInDoubt(call_id=call_id, message=message):
                say(f"      [yellow]in doubt[/] {call_id}: {plain(message)}")
            case f.StepFailed(step=step, code=code, message=message):
                say(f"[bold]{step}[/] [red]failed[/] ({code}) {plain(message)}")
            case f.StepAnswered(step=step, answer=answer):
                why = "" if answer.rendered_because == "answer_style" else answer.rendered_because
                instead = (
                    f" [yellow]from the evidence, not in the model's words[/] ({plain(why)})" if why else ""
                )
                say(f"[bold]{step}[/] [green]answered[/]{instead}")
            case _:
                pass

    def _models(self, started: f.RunStarted) -> None:
        """Print the models, once where several runs are listened to."""
        if self._told != (started.planner, started.agents):
            show_model("planner", started.planner)
            show_model("agents", started.agents)
        self._told = (started.planner, started.agents)
        tell("[dim]planning …[/]")


def _show_trouble(step: str | None, exchange: ModelExchange) -> None:
    """Print that another model answered, or that none did; an exchange that went well is no news.

    Why a plan was refused is said with the plan, and what an error said with the step that failed of it.
    """
    what = {"plan": "planning", "repair": "repair"}.get(exchange.purpose, f"{exchange.purpose} of {step}")
    if exchange.answered_by is not None:
        by = exchange.answered_by
        tell(f"[yellow]{by.model}[/] [dim]({by.provider})[/] answered {what}: {plain(by.chosen_because)}")
    elif exchange.error_code is not None and step is not None:
        say(f"   [red]no reply[/] for {what} ({exchange.error_code})")


def show_model(role: str, identity: ModelIdentity) -> None:
    """Print which model has a role, and why."""
    tell(f"[dim]{role}: {identity.model} ({identity.provider}): {plain(identity.chosen_because)}[/]")
    if identity.answer_style_because:
        because = plain(identity.answer_style_because)
        tell(f"[dim]answers: {identity.answer_style}: {because}[/]")


def _arguments(arguments: Mapping[str, Json], *, whole: bool = False) -> str:
    """Write arguments on one line; whole where a person has to judge them."""
    text = json.dumps(dict(arguments), ensure_ascii=False)
    return f"[dim]{plain(text if whole or len(text) <= 160 else text[:159] + '…')}[/]"


def show_answer(answer: StepAnswer | None) -> None:
    """Print an answer with what it rests on."""
    if answer is None:
        return
    say()
    say(plain(answer.text))
    say()
    if answer.evidence:
        say(f"[dim]evidence: {plain(cited_by(answer))}[/]")
    elif not answer.grounded and answer.style != "question":
        shown = f" (it was shown {', '.join(answer.available)} and cites none)" if answer.available else ""
        say(f"[yellow]no tool backs this answer: it is the model's own word{shown}[/]")
    for label, found in (
        ("numbers that no evidence contains", answer.unsupported_numbers),
        ("cited, but not there", answer.unknown_citations),
    ):
        if found:
            say(f"[yellow]{label}: {plain(', '.join(found))}[/]")
    if answer.uncited and answer.evidence:
        first = answer.uncited[0]
        said = first if len(first) <= 60 else first[:59] + "…"
        say(f"[yellow]sentences without evidence: {len(answer.uncited)}[/] [dim]first: {plain(said)}[/]")
    if answer.rendered_because == "unsupported_numbers":
        say("[yellow]rendered from the evidence: the model's own answer held other numbers[/]")


def cited_by(answer: StepAnswer) -> str:
    """Say which calls an answer rests on, and which of them the runtime matched itself."""
    matched = {each.call for each in answer.citations if each.by == "matched"}
    matched -= {each.call for each in answer.citations if each.by != "matched"}
    return ", ".join(f"{ref} (matched)" if ref in matched else ref for ref in answer.evidence)


def show_outcome(dossier: Dossier, path: str) -> None:
    """Print how a run ended, how far it kept to its plan, and where the dossier is."""
    style = _STATUS_STYLE.get(dossier.status, "red")
    adherence = _kept_to_plan(dossier)
    say(f"[bold {style}]{dossier.status}[/]  [dim]{plain(dossier.outcome_message)}[/]")
    kinds = [deviation.kind for deviation in dossier.deviations]
    departures = ", ".join(f"{kind} ×{kinds.count(kind)}" for kind in dict.fromkeys(kinds)) or "none"
    tokens = dossier.usage.prompt_tokens + dossier.usage.output_tokens
    say(f"adherence  {adherence}")
    say(f"deviations {departures}")
    spent = f"{counted(tokens, 'token')}, {dossier.usage.latency_s:.1f} s"
    say(f"models     {counted(dossier.model_calls, 'call')}, {spent}")
    say(f"run        {dossier.run_id}")
    out.print(f"dossier    {plain(path)}", soft_wrap=True)
    _what_next(dossier)


def _kept_to_plan(dossier: Dossier) -> str:
    if dossier.adherence is not None:
        return f"{dossier.adherence:.0%}"
    plan = dossier.decision.plan if dossier.decision else None
    planned = plan is not None and any(step.tools for step in plan.steps)
    return "– until it is over" if planned else NO_TOOLS


def show_turn_end(dossier: Dossier, path: str) -> None:
    """Print how a turn of a conversation ended, in two lines, and what it waits for."""
    style = _STATUS_STYLE.get(dossier.status, "red")
    kept = _kept_to_plan(dossier)
    adherence = kept if kept == NO_TOOLS else f"adherence {kept}"
    message = f" {plain(dossier.outcome_message)}" if dossier.outcome_message else ""
    say(f"[{style}]{dossier.status}[/]{message} [dim]· {adherence} · run {dossier.run_id}[/]")
    out.print(f"[dim]{plain(path)}[/]", soft_wrap=True)
    _what_next(dossier)


def show_call(call: CallState) -> None:
    """Print a call that a person has to judge: tool, arguments, and why it is asked."""
    why = call.message if call.status == "in_doubt" else f"rule {call.verdict.rule}: {call.verdict.reason}"
    what = "in doubt" if call.status == "in_doubt" else "needs approval"
    say(f"[yellow]{what}[/] {call.call.id} {call.call.tool} {_arguments(call.call.arguments, whole=True)}")
    say(f"   [dim]{plain(why)}[/]")


def _what_next(dossier: Dossier) -> None:
    run = dossier.run_id
    asked = [call for call in dossier.calls if call.status == "asked"]
    in_doubt = [call for call in dossier.calls if call.status == "in_doubt"]
    for calls, what, choice in (
        (asked, "waits", "--approve  (or --deny)"),
        (in_doubt, "is in doubt", "--done  (or --not-done)"),
    ):
        for call in calls:
            which = f"--call {call.id} " if len(calls) > 1 else ""
            _do_next(f"call {call.id} {what}:", f"planwarden resolve {run} {which}{choice}")
    if dossier.status == "waiting" and not asked:
        _do_next("the plan waits:", f"planwarden resolve {run} --approve  (or --deny)")
    if dossier.status == "running":
        _do_next("not finished:", f"planwarden resume {run}")
    if dossier.not_opened is not None and dossier.status == "failed":
        _do_next("it never began; give the task again:", "planwarden run …")


def _do_next(why: str, command: str) -> None:
    out.print(f"[yellow]{why}[/] {command}", soft_wrap=True)
