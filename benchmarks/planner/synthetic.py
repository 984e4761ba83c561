"""Catalogs of any size, made of real tools by numbering them. Pure and always the same."""

from __future__ import annotations

from collections.abc import Sequence

from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, OfferedTool, PlanTask

OWN = tuple(
    OfferedTool(name=name, description=said, parameters={"type": "object", "properties": {}})
    for name, said in (
        ("finance.snapshot", "Latest price of one stock or fund"),
        ("finance.analytics", "Volatility, return or drawdown of one symbol"),
        ("documents.search", "Find passages in the documents"),
        ("time.convert", "Convert a time between zones"),
        ("files.read", "Read a text file"),
        ("calculator.evaluate", "Work out an expression"),
        ("data.query", "Query a table"),
    )
)
"""Where there is no dev set to take tools from."""


def distinct_tools(tasks: Sequence[PlanTask]) -> tuple[OfferedTool, ...]:
    """Give each tool that any task offers once, by its name, in the order in which they come up."""
    found: dict[str, OfferedTool] = {}
    for task in tasks:
        for tool in task.tools:
            found.setdefault(tool.name, tool)
    return tuple(found.values())


def many_tools(count: int, real: Sequence[OfferedTool]) -> tuple[OfferedTool, ...]:
    """Make so many tools: the real ones, then each again, numbered, with a part of another's description."""
    made: list[OfferedTool] = []
    for place in range(count):
        own, time = real[place % len(real)], place // len(real)
        if not time:
            made.append(own)
            continue
        other = real[(place * 7 + time) % len(real)]
        said = f"{own.description} Number {time}, for {other.name.replace('_', ' ')}."
        made.append(own.model_copy(update={"name": f"{own.name[:56]}_{time}", "description": said}))
    return tuple(made)


def task_over(tools: Sequence[OfferedTool], request: str, name: str) -> PlanTask:
    """Make a task of a request over some tools; its gold plan means nothing."""
    gold = GoldPlan(steps=(GoldStep(tool=tools[0].name),))
    return PlanTask(id=name, source="synthetic", request=request, tools=tuple(tools), gold=gold)
