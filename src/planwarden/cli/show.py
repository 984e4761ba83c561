"""Plans, progress and results as a person reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from planwarden.cli.output import err, out
from planwarden.contracts import facts as f
from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.event import RunEvent
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.plan import PlanDecision, PlannerPlan
from planwarden.contracts.value import Json

_STATUS_STYLE = {
    "completed": "green",
    "waiting": "yellow",
    "in_doubt": "yellow",
    "running": "yellow",
    "asked": "yellow",
}


def show_plan(plan: PlannerPlan) -> None:
    """Print a plan as a table."""
    meta = plan.metadata
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("step", "agent", "tools", "fallbacks", "after", "sure"):
        table.add_column(column, no_wrap=True)
    table.add_column("why", overflow="fold", min_width=12)
    for step in plan.steps:
        table.add_row(
            step.id,
            step.agent,
            "\n".join(step.tools) or "[dim]none[/]",
            "\n".join(step.fallback_tools) or "[dim]–[/]",
            ", ".join(step.depends_on) or "[dim]–[/]",
            f"{step.confidence:.2f}",
            escape(step.reason),
        )
    out.print(table)
    parts = [f"source {meta.source}", f"hand-off {meta.handoff_strategy}"]
    if meta.way_out:
        parts.append(f"way out: {meta.way_out}")
    if meta.latency_s is not None:
        parts.append(f"{meta.latency_s:.1f} s, {meta.prompt_tokens} tokens in, {meta.output_tokens} out")
    parts.append(f"confidence {plan.confidence:.2f} ({_method(plan)})")
    out.print(f"[dim]{' · '.join(parts)}[/]")


def _method(plan: PlannerPlan) -> str:
    method = plan.metadata.confidence_method
    if method.method == "none":
        return "not measured"
    return f"from {method.method.replace('_', ' ')}, {'calibrated' if method.calibrated else 'uncalibrated'}"


def show_refusals(decision: PlanDecision) -> None:
    """Print why the model's own plan was refused, where it was."""
    for refusal in decision.refusals:
        err.print(f"[yellow]refused at {refusal.rung}[/] ({refusal.reason}): {escape(refusal.message)}")


class Progress:
    """Prints what happens while it happens; streaming is reading the events that the run writes."""

    def __init__(self) -> None:
        self._tools: dict[str, str] = {}

    def __call__(self, event: RunEvent) -> None:  # noqa: C901, PLR0912 - one arm per fact worth a line
        """Print one event."""
        match event.fact:
            case f.RunStarted() as started:
                self._models(started)
            case f.PlanDecided(decision=decision):
                show_refusals(decision)
                if decision.plan is not None:
                    out.print()
                    show_plan(decision.plan)
                    out.print()
            case f.StepStarted(step=step, agent=agent):
                out.print(f"[bold]{step}[/] {agent}")
            case f.CallIntended(call=call, verdict=verdict):
                self._tools[call.id] = call.tool
                arguments = _arguments(call.arguments)
                out.print(f"   {call.id} {call.tool} {arguments}")
                role = "fallback, " if call.role == "fallback" else ""
                out.print(f"      [green]{verdict.verdict}[/] [dim]{role}rule {verdict.rule}[/]")
            case f.CallReturned(call_id=call_id, duration_s=seconds):
                out.print(f"      [green]returned[/] [dim]{call_id} in {seconds * 1000:.0f} ms[/]")
            case f.CallFailed(message=message, failure=failure):
                out.print(f"      [red]failed[/] ({failure}) {escape(message)}")
            case f.CallRefused(tool=tool, refusal=refusal, message=message):
                out.print(f"   {escape(tool)}  [red]refused[/] ({refusal}) {escape(message)}")
            case f.ApprovalAsked(call=call, verdict=verdict):
                out.print(f"   {call.id} {call.tool} {_arguments(call.arguments)}")
                out.print(
                    f"      [yellow]needs approval[/] [dim]rule {verdict.rule}: {escape(verdict.reason)}[/]"
                )
            case f.CallInDoubt(call_id=call_id, message=message):
                out.print(f"      [yellow]in doubt[/] {call_id}: {escape(message)}")
            case f.StepFailed(step=step, code=code, message=message):
                out.print(f"[bold]{step}[/] [red]failed[/] ({code}) {escape(message)}")
            case f.StepAnswered(step=step):
                out.print(f"[bold]{step}[/] [green]answered[/]")
            case _:
                pass

    @staticmethod
    def _models(started: f.RunStarted) -> None:
        show_model("planner", started.planner)
        show_model("agents", started.agents)


def show_model(role: str, identity: ModelIdentity) -> None:
    """Print which model has a role, and why."""
    err.print(f"[dim]{role}: {identity.model} ({identity.provider}): {escape(identity.chosen_because)}[/]")


def _arguments(arguments: Mapping[str, Json]) -> str:
    text = json.dumps(dict(arguments), ensure_ascii=False)
    return f"[dim]{escape(text if len(text) <= 160 else text[:159] + '…')}[/]"


def show_answer(answer: StepAnswer | None) -> None:
    """Print an answer with what it rests on."""
    if answer is None:
        return
    out.print()
    out.print(escape(answer.text), soft_wrap=True)
    out.print()
    if answer.evidence:
        out.print(f"[dim]evidence: {', '.join(answer.evidence)}[/]")
    elif not answer.grounded and answer.style != "question":
        out.print("[yellow]no tool backs this answer: it is the model's own word[/]")
    if answer.unsupported_numbers:
        numbers = ", ".join(answer.unsupported_numbers)
        out.print(f"[yellow]numbers that no evidence contains: {numbers}[/]")


def show_outcome(dossier: Dossier, path: str) -> None:
    """Print how a run ended, how far it kept to its plan, and where the dossier is."""
    style = _STATUS_STYLE.get(dossier.status, "red")
    adherence = "no tools planned" if dossier.adherence is None else f"{dossier.adherence:.0%}"
    out.print(f"[bold {style}]{dossier.status}[/]  [dim]{escape(dossier.outcome_message)}[/]")
    kinds = [deviation.kind for deviation in dossier.deviations]
    counted = ", ".join(f"{kind} ×{kinds.count(kind)}" for kind in dict.fromkeys(kinds)) or "none"
    tokens = dossier.usage.prompt_tokens + dossier.usage.output_tokens
    out.print(f"adherence  {adherence}")
    out.print(f"deviations {counted}")
    out.print(f"models     {dossier.model_calls} calls, {tokens} tokens, {dossier.usage.latency_s:.1f} s")
    out.print(f"run        {dossier.run_id}")
    out.print(f"dossier    {escape(path)}", soft_wrap=True)
    _what_next(dossier)


def _what_next(dossier: Dossier) -> None:
    run = dossier.run_id
    for call in dossier.calls:
        if call.status == "asked":
            out.print(f"[yellow]call {call.id} waits:[/] planwarden resolve {run} --approve  (or --deny)")
        if call.status == "in_doubt":
            out.print(
                f"[yellow]call {call.id} is in doubt:[/] planwarden resolve {run} --done  (or --not-done)"
            )
    if dossier.status == "waiting" and not any(call.status == "asked" for call in dossier.calls):
        out.print(f"[yellow]the plan waits:[/] planwarden resolve {run} --approve  (or --deny)")
    if dossier.status == "running":
        out.print(f"[yellow]not finished:[/] planwarden resume {run}")
