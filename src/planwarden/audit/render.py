"""The dossier as Markdown, for people. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from planwarden.audit.page.amounts import counted
from planwarden.contracts.dossier import (
    Dossier,
    DossierCall,
    DossierExchange,
    DossierStep,
    NotOpened,
    said_by_person,
)
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.plan import PlanDecision, PlanMetadata

MAX_CELL = 300
_TROUBLE = ("event", "step", "asked for", "answered by", "why")
_CODE = re.compile(r"(?<![`\\])`[^`|<&\\]+`(?!`)")
"""Code that begins and ends within a value and holds nothing that Markdown would read in another way."""
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0e-\\x1b\\x7f-\\x84\\x86-\\x9f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


def dossier_markdown(dossier: Dossier, *, notice: str = "") -> str:
    """Write a dossier as Markdown: what was asked, planned, done, answered, and how it can be checked.

    `notice` is what a reader has to know first, such as that it is redacted.
    """
    sections = (
        _head(dossier, notice),
        _plan(dossier.decision, dossier.plan_digest),
        _steps(dossier.steps),
        _calls(dossier.calls),
        _answer(dossier),
        _deviations(dossier),
        _approvals(dossier),
        _models(dossier),
        _record(dossier),
    )
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _head(dossier: Dossier, notice: str) -> list[str]:
    adherence = "–" if dossier.adherence is None else f"{dossier.adherence:.0%}"
    reason = outcome_reason(dossier)
    asked_by = f"{dossier.task.principal.kind} {dossier.task.principal.id}, tenant {dossier.task.tenant}"
    lines = [
        f"# Dossier of run {dossier.run_id}",
        "",
        *([f"> **{notice}**", ""] if notice else []),
        f"- **Status:** {dossier.status}{f' ({cell(reason)})' if reason else ''}",
        f"- **Adherence:** {adherence}",
        f"- **Asked by:** {cell(asked_by)}",
        f"- **From** {dossier.started_at.isoformat()} **to** {dossier.updated_at.isoformat()}",
    ]
    if times := resumed(dossier):
        lines.append(f"- **Resumed:** {times}×")
    if dossier.task.data:
        lines.append(f"- **Data:** {cell(', '.join(dossier.task.data))}")
    return [*lines, "", "## Task", "", *_quoted(dossier.task.prompt)]


def outcome_reason(dossier: Dossier) -> str:
    """Say why a run ended as it did, or what it waits for; what a failed step says stands with the step."""
    if not dossier.outcome_code:
        return waits_for(dossier)
    message = dossier.outcome_message
    for step in dossier.steps:
        if step.failure_message and message.endswith(f": {step.failure_message}"):
            message = f"{message.removesuffix(f': {step.failure_message}')}, see the steps"
            break
    return f"{dossier.outcome_code}: {message}"


def resumed(dossier: Dossier) -> int:
    """Count how often somebody went on with the run: after a person had spoken, or its process had died."""
    return sum(event.kind == "run_taken_over" for event in dossier.events)


def _plan(decision: PlanDecision | None, digest: str | None) -> list[str]:
    if decision is None:
        return ["## Plan", "", "No plan was decided."]
    lines = ["## Plan", ""]
    plan = decision.plan
    if plan is None:
        lines.append("Nothing may be done under this policy.")
    else:
        meta = plan.metadata
        calibrated = "calibrated" if meta.confidence_method.calibrated else "uncalibrated"
        named = f", digest `{digest}`" if digest else ""
        lines += [
            f"Source **{meta.source}**, hand-off {meta.handoff_strategy}{named}.",
            f"Confidence {plan.confidence:.2f} ({meta.confidence_method.method}, {calibrated}).",
            "",
            *_table(
                ("step", "agent", "tools", "fallbacks", "after", "sure", "why"),
                [
                    (
                        step.id,
                        step.agent,
                        ", ".join(step.tools) or "none",
                        ", ".join(step.fallback_tools),
                        ", ".join(step.depends_on),
                        f"{step.confidence:.2f}",
                        step.reason,
                    )
                    for step in plan.steps
                ],
            ),
        ]
        lines += _decided(meta)
    if decision.refusals:
        rows = [
            (refusal.rung, refusal.reason, refusal.field, refusal.message) for refusal in decision.refusals
        ]
        lines += ["", "Refused on the way:", "", *_table(("rung", "reason", "field", "message"), rows)]
    return lines


def _decided(meta: PlanMetadata) -> list[str]:
    """Say for each choice who decided it, with what each side said."""
    if not meta.choices:
        return []
    share = f", the model's share {meta.model_share:.0%}" if meta.model_share is not None else ""
    rows = [
        (
            choice.step or "–",
            choice.kind if choice.step or choice.kind == "way_out" else f"{choice.kind} left out",
            choice.value,
            choice.decided_by,
            f"{choice.prior:.2f}",
            "–" if choice.model is None else f"{choice.model:.2f}",
            f"{choice.fused:.2f}",
        )
        for choice in meta.choices
    ]
    head = ("step", "choice", "chosen", "decided by", "prior", "model", "fused")
    return ["", f"Decided in mode {meta.mode}{share}:", "", *_table(head, rows)]


def _steps(steps: Sequence[DossierStep]) -> list[str]:
    if not steps:
        return []
    rows = [
        (
            step.id,
            step.agent,
            f"{step.execution}, then directed ({step.fell})" if step.fell else step.execution,
            step.status,
            step.failure_code or "–",
            step.failure_message or "–",
        )
        for step in steps
    ]
    return ["## Steps", "", *_table(("step", "agent", "execution", "outcome", "code", "message"), rows)]


def _calls(calls: Sequence[DossierCall]) -> list[str]:
    if not calls:
        return ["## Calls", "", "No tool was called."]
    rows = [
        (
            call.id or "–",
            call.tool,
            call.role or "–",
            json.dumps(call.arguments, ensure_ascii=False),
            f"{call.verdict.verdict} ({call.verdict.rule})" if call.verdict else "–",
            call.status + _because(call),
            f"{call.duration_s * 1000:.0f}" if call.duration_s is not None else "–",
            call.message or (call.result_digest or ""),
        )
        for call in calls
    ]
    header = ("call", "tool", "role", "arguments", "verdict", "outcome", "ms", "message or result digest")
    return ["## Calls", "", *_table(header, rows)]


def _because(call: DossierCall) -> str:
    """Say why a call was refused or failed, or on whose word it counts as done."""
    if call.refusal or call.failure:
        return f" ({call.refusal or call.failure})"
    return f" (as {call.settled_by} said)" if said_by_person(call) else ""


def _answer(dossier: Dossier) -> list[str]:
    if dossier.answer is None:
        return ["## Answer", "", "None."]
    answer = dossier.answer
    by = {each.call: each.by for each in reversed(answer.citations)}
    evidence = ", ".join(f"{ref} ({by[ref]})" if ref in by else ref for ref in answer.evidence) or "none"
    lines = ["## Answer", "", *_quoted(answer.text), "", f"Evidence: {evidence}. Style: {answer.style}."]
    if answer.unsupported_numbers:
        lines.append(f"Numbers that no evidence contains: {', '.join(answer.unsupported_numbers)}.")
    if answer.unknown_citations:
        lines.append(f"Cited, but not there: {cell(', '.join(answer.unknown_citations))}.")
    if answer.rendered_because:
        lines.append(f"Rendered from the evidence because {_why_rendered(answer.rendered_because)}.")
    if not answer.grounded:
        shown = f" It was shown: {', '.join(answer.available)}." if answer.available else ""
        lines.append(f"No tool backs this answer.{shown}")
    if answer.uncited:
        lines += ["", "Sentences without evidence:", "", *(f"- {cell(said)}" for said in answer.uncited)]
    return lines


def _why_rendered(reason: str) -> str:
    match reason:
        case "answer_style":
            return "the model's own words are not used (see Models for why)"
        case "unsupported_numbers":
            return "the model's words held numbers without evidence (`unsupported_numbers`)"
        case "stand_in":
            return "a stand-in answered, whose own words are not used (`stand_in`)"
        case _:
            return f"of `{reason}`"


def _deviations(dossier: Dossier) -> list[str]:
    if not dossier.deviations:
        return ["## Deviations", "", no_deviation(dossier)]
    rows = [
        (str(deviation.seq), deviation.kind, deviation.step or "", deviation.tool or "", deviation.detail)
        for deviation in dossier.deviations
    ]
    return ["## Deviations", "", *_table(("event", "kind", "step", "tool", "detail"), rows)]


def no_deviation(dossier: Dossier) -> str:
    """Say that there was no deviation, and no more than that: where nothing ran, nothing went as planned."""
    if not dossier.steps:
        return "None: nothing was done."
    over = dossier.status in ("completed", "failed", "refused", "cancelled", "asked")
    return "None: everything went as planned." if over else "None so far."


def waits_for(dossier: Dossier) -> str:
    """Say what a run waits for; empty where it waits for nobody."""
    asked = [f"call {call.id} of {call.tool}" for call in dossier.calls if call.status == "asked"]
    doubtful = [f"{call.id} of {call.tool}" for call in dossier.calls if call.status == "in_doubt"]
    if doubtful:
        return f"somebody has to say whether this call happened: {', '.join(doubtful)}"
    if dossier.status == "waiting":
        return f"for approval of {', '.join(asked) or 'the plan'}"
    return ""


def _approvals(dossier: Dossier) -> list[str]:
    if not dossier.approvals:
        return []
    rows = [
        (approval.at.isoformat(), approval.by, approval.what, approval.subject, approval.decision)
        for approval in dossier.approvals
    ]
    return ["## Who decided what", "", *_table(("at", "by", "what", "subject", "decision"), rows)]


def _models(dossier: Dossier) -> list[str]:
    usage = dossier.usage
    tokens = counted(usage.prompt_tokens, "token")
    return [
        "## Models",
        "",
        f"- planner: {_model(dossier.planner)}",
        f"- agents: {_model(dossier.agents)}",
        *([f"- not there: {cell(not_opened(dossier.not_opened))}"] if dossier.not_opened else []),
        f"- {counted(dossier.model_calls, 'call')}, {tokens} in, {usage.output_tokens:,} out",
        f"- {usage.latency_s:.2f} s in all; every exchange is in the JSON dossier",
        *_troubles(dossier.exchanges),
    ]


def not_opened(missing: NotOpened) -> str:
    """Say which model could not be had, and what its error advised."""
    whose = f"the model of {missing.agent}" if missing.agent else f"the model of role {missing.role}"
    return f"{whose} ({missing.code}); advised then: {missing.remedy}"


def _troubles(exchanges: Sequence[DossierExchange]) -> list[str]:
    """List the exchanges in which no model answered, or another one than the run pins."""
    rows: list[tuple[str, ...]] = []
    for each in exchanges:
        exchange, by = each.exchange, each.exchange.answered_by
        if exchange.error_code is None and by is None:
            continue
        who = "none" if by is None else f"{by.model} ({by.provider})"
        why = f"{exchange.error_code}: {exchange.error}" if by is None else by.chosen_because
        rows.append((str(each.seq), each.step or "–", exchange.purpose, who, why))
    if not rows:
        return []
    return ["", "Not answered, or not by the model asked:", "", *_table(_TROUBLE, rows)]


def _model(identity: ModelIdentity) -> str:
    digest = f", `{identity.digest}`" if identity.digest else ""
    because = cell(identity.answer_style_because)
    answers = f"; answers: {identity.answer_style} ({because})" if because else ""
    return f"{identity.model} ({identity.provider}{digest}): {cell(identity.chosen_because)}{answers}"


def _record(dossier: Dossier) -> list[str]:
    rows = [
        (str(event.seq), event.at.isoformat(), event.kind, str(event.epoch), f"`{event.hash[7:23]}…`")
        for event in dossier.events
    ]
    return [
        "## Record",
        "",
        f"- catalog `{dossier.catalog_digest}`",
        f"- policy `{dossier.policy_digest}`",
        f"- head `{dossier.head}`",
        f"- planwarden {dossier.planwarden_version}; check with `planwarden dossier verify {dossier.run_id}`",
        "",
        *_table(("event", "at", "kind", "epoch", "hash"), rows),
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{'|'.join('---' for _ in header)}|",
        *(f"| {' | '.join(cell(each) for each in row)} |" for row in rows),
    ]


def cell(text: str) -> str:
    """Keep a value from breaking out of its place in the page."""
    flat = " ".join(_seen(text).split())
    short = flat if len(flat) <= MAX_CELL else flat[: MAX_CELL - 1] + "…"
    safe = short.replace("|", "\\|").replace("<", "&lt;")
    return safe if _is_code(safe) or "`" not in _CODE.sub("", safe) else safe.replace("`", "'")


def _seen(text: str) -> str:
    """Replace what a terminal or a viewer would obey: control characters, marks that reorder text."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)


def _is_code(text: str) -> bool:
    return len(text) > 2 and text.startswith("`") and text.endswith("`") and text.count("`") == 2


def _quoted(text: str) -> list[str]:
    return [f"> {_seen(line).replace('<', '&lt;')}" for line in text.splitlines()] or ["> "]
