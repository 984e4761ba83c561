"""Asking a planner model about every task once: what the prior knew, what the model said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.task import Task
from planwarden.evaluation.calibration.tasks import CalibrationTask
from planwarden.evaluation.calibration.worth import Observation
from planwarden.evaluation.remembered import without_itself
from planwarden.planning.considered import Considered
from planwarden.policy.rules import ToolPolicy


class Considers(Protocol):
    """What asks: the product's planner."""

    async def consider(
        self, task: Task, catalog: Catalog, policy: ToolPolicy, remembered: Sequence[RememberedPlan] = ()
    ) -> Considered:
        """Give prior and evidence for a task, whatever the weights in force."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One task with what was known and said of it."""

    task: CalibrationTask
    considered: Considered


async def ask_all(
    tasks: Sequence[CalibrationTask],
    planner: Considers,
    remembered: Sequence[RememberedPlan],
    progress: Callable[[Asked], None],
) -> tuple[Asked, ...]:
    """Ask about every task, one after the other; `progress` hears of each as it is done.

    Args:
        tasks: what is asked.
        planner: who asks.
        remembered: what the planner may know; a task's own plan is taken out before it is asked.
        progress: told of each task.

    Raises:
        ModelError: the model cannot be had any more; a reply that is no plan is not an error.
    """
    done: list[Asked] = []
    for task in tasks:
        known = without_itself(task, remembered)
        considered = await planner.consider(Task(prompt=task.request), task.catalog, task.policy, known)
        done.append(Asked(task=task, considered=considered))
        progress(done[-1])
    return tuple(done)


def tool_observations(asked: Asked) -> tuple[Observation, ...]:
    """Give each tool that the model was shown: in a right plan or not. Pure."""
    prior, evidence = asked.considered.prior, asked.considered.evidence
    if evidence is None:
        return ()
    return tuple(
        Observation(
            prior=tool.probability,
            model=evidence.tools[tool.name],
            right=asked.task.right_tool(tool.name),
        )
        for tool in prior.tools
        if tool.name in evidence.tools
    )


def link_observations(asked: Asked) -> tuple[Observation, ...]:
    """Give each pair of tools that the model spoke of and that a right plan has: linked or not. Pure."""
    prior, evidence = asked.considered.prior, asked.considered.evidence
    if evidence is None:
        return ()
    return tuple(
        Observation(prior=prior.link(first, second), model=said, right=right)
        for (first, second), said in evidence.links.items()
        if (right := asked.task.right_link(first, second)) is not None
    )


def way_out_observations(asked: Asked) -> tuple[Observation, ...]:
    """Give each way out that was offered: right or not. Pure."""
    prior, evidence = asked.considered.prior, asked.considered.evidence
    if evidence is None:
        return ()
    offered = asked.considered.bounds.ways_out
    found: list[Observation] = []
    if offered.answer:
        right = asked.task.right_way_out("none")
        found.append(Observation(prior=prior.none, model=evidence.none, right=right))
    if offered.ask:
        found.append(Observation(prior=prior.ask, model=evidence.ask, right=asked.task.right_way_out("ask")))
    return tuple(found)
