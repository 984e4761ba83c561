"""The plan as a graph: boxes for steps, their tools with what became of them, arrows along the data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from planwarden.audit.page.element import tag
from planwarden.audit.page.layout import Box, Layout, Point, lay_out
from planwarden.audit.page.tones import IDLE, MARKS, step_state, tool_tone, tool_word
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.plan import PlannedAgentStep, PlannerPlan

LINE, PAD, HEAD = 20.0, 14.0, 54.0
MARGIN = 10.0
_FITS = 27
"""Characters of a tool's name in a box."""


def plan_graph(dossier: Dossier, plan: PlannerPlan) -> Markup:
    """Draw a plan with what became of it."""
    heights = {step.id: HEAD + LINE * max(1, len(_tools(step))) + PAD / 2 for step in plan.steps}
    layout = lay_out({step.id: step.depends_on for step in plan.steps}, heights)
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    drawing = tag(
        "svg",
        tag("title", _said(dossier, plan)),
        _arrow_head(),
        *(_arrow(points) for points in layout.arrows.values()),
        *(_step(dossier, step, layout.boxes[step.id]) for step in plan.steps),
        viewBox=f"{-MARGIN:g} {-MARGIN:g} {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
        class_="graph",
    )
    return tag("div", drawing, _legend(layout), class_="wide", tabindex=0, role="region", aria_label="Plan")


def _said(dossier: Dossier, plan: PlannerPlan) -> str:
    parts: list[str] = []
    for step in plan.steps:
        after = f", after {', '.join(step.depends_on)}" if step.depends_on else ""
        became = step_state(dossier, step.id)[1]
        parts.append(f"{step.id} by {step.agent} with {', '.join(step.tools) or 'no tools'}{after}: {became}")
    return f"Graph of the plan, {len(plan.steps)} steps. {'. '.join(parts)}."


def _tools(step: PlannedAgentStep) -> list[tuple[str, str]]:
    return [*((tool, "") for tool in step.tools), *((tool, "fallback") for tool in step.fallback_tools)]


def _step(dossier: Dossier, step: PlannedAgentStep, box: Box) -> Markup:
    tone, word = step_state(dossier, step.id)
    x, y = box.x + PAD, box.y
    corner = {"x": box.x, "y": y, "height": box.height, "rx": 8.0}
    frame = tag("rect", width=box.width, class_=f"box {tone}", **corner)
    inside = tag(
        "g",
        frame,
        tag("title", f"{step.id}, {step.agent}: {step.reason}" if step.reason else step.id),
        tag("text", step.id, x=x, y=y + 22, class_="step"),
        tag(
            "text",
            f"{MARKS[tone]} {word}",
            x=box.x + box.width - PAD,
            y=y + 22,
            class_=f"state {tone}",
            text_anchor="end",
        ),
        tag("text", _short(step.agent, 34), x=x, y=y + 40, class_="agent"),
        *_lines(dossier, step, x, y + HEAD + PAD - 2),
    )
    return tag("a", inside, href=f"#step-{step.id}")


def _lines(dossier: Dossier, step: PlannedAgentStep, x: float, y: float) -> Iterable[Markup]:
    for at, (tool, role) in enumerate(_tools(step)):
        tone = tool_tone(dossier, step.id, tool)
        told = tag("title", f"{tool}: {tool_word(dossier, step.id, tool)}")
        place = y + at * LINE
        yield tag("text", told, MARKS[tone], x=x, y=place, class_=f"mark {tone}")
        words = f"{_short(tool, _FITS - (9 if role else 0))}{f' ({role})' if role else ''}"
        yield tag("text", told, words, x=x + 18, y=place, class_=f"tool {IDLE if tone == IDLE else ''}")
    if not step.tools:
        yield tag("text", "answers without tools", x=x, y=y, class_="tool idle")


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _arrow_head() -> Markup:
    path = tag("path", d="M0,0 L8,4 L0,8 z", class_="arrowhead")
    size = {"markerWidth": 8, "markerHeight": 8, "refX": 7, "refY": 4}
    return tag("defs", tag("marker", path, id="arrow", orient="auto", **size))


def _arrow(points: Sequence[Point]) -> Markup:
    """Draw an arrow as curves that leave and arrive upright."""
    (x, y), *rest = points
    path = f"M{x:.1f},{y:.1f}"
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        path += f" C{x:.1f},{middle:.1f} {to_x:.1f},{middle:.1f} {to_x:.1f},{to_y:.1f}"
        x, y = to_x, to_y
    return tag("path", d=path, class_="arrow", marker_end="url(#arrow)")


def _legend(layout: Layout) -> Markup:
    arrows = "An arrow leads from a step to one that builds on its result. " if layout.arrows else ""
    marks = f"{MARKS['ok']} returned, {MARKS['bad']} failed or refused, {MARKS['wait']} waits, "
    marks += f"{MARKS['doubt']} in doubt, {MARKS['idle']} not called."
    return tag("p", f"{arrows}{marks}", class_="note")
