"""Which tools a free step offers its model: those that admission would let it call now. Pure.

A shorter list keeps the model from being tempted; it is no enforcement: every request is judged all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from planwarden.contracts.run import RunState
from planwarden.contracts.specs import ToolSpec
from planwarden.contracts.verdict import Verdict
from planwarden.runtime.admission import Refused, Wanted, admit
from planwarden.runtime.binding import bind
from planwarden.runtime.tool_session import ToolWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The tools for the next turn, without the arguments that the plan binds."""

    tools: tuple[ToolSpec, ...]
    problem: str = ""
    """Why a tool's bindings could not be evaluated; empty when all could."""


def offer(state: RunState, world: ToolWorld, step_id: str) -> Offer:
    """Give the tools that the step's model may ask for now."""
    planned = state.steps[step_id].planned
    tools: list[ToolSpec] = []
    for name in (*planned.tools, *planned.fallback_tools):
        spec = world.catalog.tools.get(name) if name in world.tools else None
        verdict = world.policy.decide(planned.agent, name)
        if spec is None or not _admissible(state, step_id, spec, verdict):
            continue
        bound = bind(state, planned, name, spec.parameters)
        if bound.problem:
            return Offer(tools=(), problem=bound.problem)
        tools.append(spec.model_copy(update={"parameters": bound.open_schema}))
    return Offer(tools=tuple(tools))


def _admissible(state: RunState, step_id: str, spec: ToolSpec, verdict: Verdict) -> bool:
    wanted = Wanted(
        step=step_id, tool=spec.name, arguments={}, spec=spec, verdict=verdict, argument_problems=()
    )
    return not isinstance(admit(state, wanted), Refused)
