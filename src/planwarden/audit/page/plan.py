"""How the plan came about: source, confidence, who decided each choice, what was refused on the way. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from planwarden.audit.page.amounts import counted, seconds, share
from planwarden.audit.page.element import badge, code, joined, section, short_digest, table, tag, value
from planwarden.audit.page.graph import plan_graph
from planwarden.audit.page.tones import BAD, INFO, OK, WAIT
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.plan import PlanChoice, PlanMetadata, PlannerPlan, PlanSource, Refusal

_SOURCES: dict[PlanSource, str] = {
    "planner": "the planner's model wrote it, at its first attempt",
    "repaired": "the planner's model wrote it, after it was told what was wrong with the first",
    "prior": "the same as the prior's plan: the model changed nothing",
    "cached": "a plan that worked for the same task before",
    "fallback": "the fallback plan, after everything else was refused",
    "edited": "a person wrote or edited it",
}


def plan_section(dossier: Dossier) -> Markup:
    """Show the plan as a graph, and where it comes from."""
    decision = dossier.decision
    if decision is None:
        return section("plan", "Plan", tag("p", "The run ended before a plan was decided."))
    refusals = _refusals(decision.refusals)
    if decision.plan is None:
        told = tag("p", "None: under this policy nothing may be done, not even the fallback plan.")
        return section("plan", "Plan", told, refusals)
    return section(
        "plan",
        "Plan",
        plan_graph(dossier, decision.plan),
        tag("h3", "Where it comes from"),
        _provenance(decision.plan, dossier.plan_digest),
        refusals,
        _choices(decision.plan.metadata),
        _details(decision.plan),
    )


def _provenance(plan: PlannerPlan, digest: str | None) -> Markup:
    meta = plan.metadata
    tone = {"fallback": BAD, "edited": INFO, "cached": INFO}.get(meta.source, OK)
    method = meta.confidence_method
    measured = "calibrated" if method.calibrated else "not calibrated"
    by = (
        "as the plan states it"
        if method.method == "none"
        else f"by {method.method.replace('_', ' ')}, {measured}"
    )
    lines: list[tuple[str, Markup]] = [
        ("source", joined((badge(meta.source, tone), f" {_SOURCES[meta.source]}"))),
        ("confidence", joined((f"{plan.confidence:.2f}, {by}",))),
        ("hand-off", joined((meta.handoff_strategy,))),
    ]
    if meta.way_out is not None:
        lines.append(("way out", badge(meta.way_out.replace("_", " "), WAIT)))
    if meta.model is not None:
        lines.append(("planner model", joined((code(meta.model), f" {_asked(meta)}"))))
    if meta.mode is not None:
        said = "" if meta.model_share is None else f", the model's share {share(meta.model_share)}"
        lines.append(("decided in mode", joined((f"{meta.mode}{said}",))))
    if meta.prompt_version is not None:
        lines.append(("prompt version", code(meta.prompt_version)))
    lines.append(("plan's digest", short_digest(digest)))
    return facts(lines)


def facts(lines: Sequence[tuple[str, Markup]]) -> Markup:
    """Show names beside their values."""
    pairs = (part for name, said in lines for part in (tag("dt", name), tag("dd", said)))
    return tag("dl", *pairs, class_="facts")


def _asked(meta: PlanMetadata) -> str:
    tokens = "" if meta.prompt_tokens is None else f", {meta.prompt_tokens:,} tokens in"
    tokens += "" if meta.output_tokens is None else f", {meta.output_tokens:,} out"
    return f"{seconds(meta.latency_s) if meta.latency_s is not None else ''}{tokens}".strip(", ")


def _refusals(refusals: Sequence[Refusal]) -> Markup | None:
    if not refusals:
        return None
    rows = [
        (
            f"{refusal.rung} ({refusal.inner})" if refusal.inner else refusal.rung,
            code(refusal.reason),
            code(refusal.field) if refusal.field else "the whole",
            refusal.message,
        )
        for refusal in refusals
    ]
    head = ("rung", "reason", "field", "message")
    return joined((tag("h3", "Refused on the way"), table(counted(len(rows), "refusal"), head, rows)))


def _choices(meta: PlanMetadata) -> Markup | None:
    if not meta.choices:
        return None
    rows = [tuple(_choice(choice)) for choice in meta.choices]
    head = ("step", "choice", "chosen", "decided by", "prior", "model", "fused")
    caption = "Probability of what was chosen: before the model was heard, in its reply, both together"
    return joined((tag("h3", "Prior or model: who chose"), table(caption, head, rows)))


def _choice(choice: PlanChoice) -> Iterator[str]:
    yield choice.step or "–"
    yield (
        choice.kind.replace("_", " ")
        if choice.step or choice.kind == "way_out"
        else f"{choice.kind} left out"
    )
    yield code(choice.value)
    yield {"both": "both", "rule": "rule: nothing to choose"}.get(
        choice.decided_by, f"the {choice.decided_by}"
    )
    yield f"{choice.prior:.2f}"
    yield "–" if choice.model is None else f"{choice.model:.2f}"
    yield f"{choice.fused:.2f}"


def _details(plan: PlannerPlan) -> Markup:
    rows = [
        (
            code(step.id),
            step.agent,
            _names(step.tools) or "none",
            _names(step.fallback_tools) or "–",
            ", ".join(step.depends_on) or "–",
            f"{step.confidence:.2f}",
            value(step.reason) if step.reason else "–",
        )
        for step in plan.steps
    ]
    head = ("step", "agent", "tools", "fallbacks", "after", "sure", "why")
    shortlist = plan.metadata.shortlist
    offered = (
        tag("p", "Offered to the planner: ", _names(shortlist), ".", class_="note") if shortlist else None
    )
    shown = table("The plan as a table", head, rows)
    return tag("details", tag("summary", "The plan as a table, and what it was chosen from"), shown, offered)


def _names(names: Sequence[str]) -> Markup:
    return joined(part for at, name in enumerate(names) for part in (", " if at else "", code(name)))
