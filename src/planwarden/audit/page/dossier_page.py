"""The page of one dossier, put together. Pure: the same dossier gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from planwarden.audit.page.amounts import counted, moment, seconds, share
from planwarden.audit.page.answer import answer_section
from planwarden.audit.page.chart import timeline_chart
from planwarden.audit.page.document import document
from planwarden.audit.page.element import badge, code, joined, section, tag, value
from planwarden.audit.page.plan import facts, plan_section
from planwarden.audit.page.record import (
    approvals_section,
    deviations_section,
    models_section,
    record_section,
)
from planwarden.audit.page.steps import pretty, steps_section
from planwarden.audit.page.tones import RUN_TONES, RUN_WORDS
from planwarden.audit.render import outcome_reason, resumed
from planwarden.audit.timeline import Timeline
from planwarden.contracts.dossier import Dossier


def dossier_page(dossier: Dossier, found: Timeline, *, notice: str = "") -> str:
    """Write a dossier as one HTML file.

    Args:
        dossier: of the run.
        found: its timeline, from the same events.
        notice: what a reader has to know first, such as that it is redacted.
    """
    sections = [
        ("task", "Task", _task(dossier)),
        ("answer", "Answer", answer_section(dossier)),
        ("plan", "Plan", plan_section(dossier)),
        ("timeline", "Timeline", _timeline(dossier, found)),
        ("steps", "Steps and calls", steps_section(dossier)),
        ("deviations", "Deviations", deviations_section(dossier)),
        ("people", "Who decided what", approvals_section(dossier)),
        ("models", "Models", models_section(dossier)),
        ("record", "Record", record_section(dossier)),
    ]
    links = [(anchor, title) for anchor, title, made in sections if made is not None]
    return document(
        f"Dossier of run {dossier.run_id}: {dossier.status}",
        tag("header", *_header(dossier, found, notice), _contents(links)),
        tag("main", *(made for _, _, made in sections)),
    )


def _header(dossier: Dossier, found: Timeline, notice: str) -> Iterator[Markup]:
    yield tag("h1", "Dossier of run ", code(dossier.run_id))
    state = badge(RUN_WORDS[dossier.status], RUN_TONES[dossier.status])
    yield tag("p", state, f" {outcome_reason(dossier)}")
    if times := resumed(dossier):
        yield tag(
            "p", f"Resumed {times}×: after a person had spoken, or its process had died.", class_="note"
        )
    if notice:
        yield tag("p", notice, class_="notice", role="note")
    yield _figures(dossier, found)


def _figures(dossier: Dossier, found: Timeline) -> Markup:
    plan = dossier.decision.plan if dossier.decision else None
    answered = sum(step.status == "answered" for step in dossier.steps)
    returned = sum(call.status == "returned" for call in dossier.calls)
    usage = dossier.usage
    figures: list[tuple[str, str, str]] = [
        ("adherence", share(dossier.adherence), "steps that went as planned"),
        ("steps", f"{answered} of {len(dossier.steps)}", "answered"),
        ("calls", f"{returned} of {len(dossier.calls)}", "returned"),
        ("deviations", str(len(dossier.deviations)), "from the plan"),
        ("from start to end", seconds(found.length_s), "waiting included"),
        (
            "model tokens",
            f"{usage.prompt_tokens + usage.output_tokens:,}",
            counted(dossier.model_calls, "exchange"),
        ),
    ]
    if plan is not None:
        figures.insert(1, ("plan", plan.metadata.source, f"confidence {plan.confidence:.2f}"))
    cells = (tag("div", tag("dt", name), tag("dd", said, tag("small", note))) for name, said, note in figures)
    return tag("dl", *cells, class_="figures")


def _contents(links: Sequence[tuple[str, str]]) -> Markup:
    items = (tag("li", tag("a", title, href=f"#{anchor}")) for anchor, title in links)
    return tag("nav", tag("ul", *items), aria_label="Sections")


def _task(dossier: Dossier) -> Markup:
    task = dossier.task
    lines = [
        ("asked by", joined((f"{task.principal.kind} {task.principal.id}, tenant {task.tenant}",))),
        ("from", joined((f"{moment(dossier.started_at)} to {moment(dossier.updated_at)}",))),
    ]
    if task.conversation is not None:
        lines.append(("conversation", code(task.conversation)))
    if task.data:
        lines.append(("data", joined(part for path in task.data for part in (code(path), " "))))
    if task.metadata:
        lines.append(("metadata", value(pretty(task.metadata), "metadata")))
    limits = ", ".join(
        f"{name.replace('_', ' ')} {limit:g}" for name, limit in task.limits.model_dump().items()
    )
    lines.append(("limits", tag("span", limits, class_="note")))
    earlier = [value(each.content, f"earlier, {each.role}", short=0) for each in task.exchanges]
    return section("task", "Task", value(task.prompt, short=4_000), *earlier, facts(lines))


def _timeline(dossier: Dossier, found: Timeline) -> Markup:
    agents = {step.id: step.agent for step in dossier.steps}
    if not found.spans and not found.marks:
        return section("timeline", "Timeline", tag("p", "Nothing in the record took time."))
    return section("timeline", "Timeline", timeline_chart(found, agents))
