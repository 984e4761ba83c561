"""How sure a plan is before any map: by its own probabilities, or by weighed signals. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from planwarden.planning.confidence.signals import Beliefs, Signals, combined, plan_signals
from planwarden.planning.fusion.compose import LINKED, Draft, DraftStep
from planwarden.planning.fusion.fuse import Fused


def raw_confidence(draft: Draft, fused: Fused, signal_weights: Mapping[str, float]) -> float:
    """Give the number that a calibration's map makes a probability of.

    Args:
        draft: the plan.
        fused: what it was composed from.
        signal_weights: of the calibration in force; none leaves the probability of independent choices.
    """
    if not signal_weights:
        return exact_probability(draft, fused)
    return combined(signals_of(draft, fused), signal_weights)


def step_probability(step: DraftStep) -> float:
    """Give the probability that a step is right: its tool and its agent."""
    return step.tool_judged.fused * step.agent_judged.fused


def exact_probability(draft: Draft, fused: Fused) -> float:
    """Give the probability that a draft is right in every choice, were they independent.

    Those are: no way out (or this one), each tool planned or left out, each agent, each link or none.
    """
    outs = fused.none.fused + fused.ask.fused
    if draft.way_out:
        return (fused.none if draft.way_out == "none" else fused.ask).fused
    planned = {step.tool for step in draft.steps}
    left_out = math.prod(1.0 - tool.judged.fused for tool in fused.tools if tool.name not in planned)
    steps = math.prod(map(step_probability, draft.steps))
    return max(0.0, 1.0 - outs) * steps * left_out * math.prod(_links(draft))


def signals_of(draft: Draft, fused: Fused) -> Signals:
    """Measure what a draft was chosen by."""
    repeats = {tool.name: tool.repeats for tool in fused.tools}
    written = [step.tool for step in draft.steps]
    chosen = tuple(dict.fromkeys(written))
    again = [repeats[tool] if written.count(tool) > 1 else 1.0 - repeats[tool] for tool in chosen]
    beliefs = Beliefs(
        tools={tool.name: tool.judged.fused for tool in fused.tools},
        chosen=chosen,
        decisions=(*_links(draft), *(step.agent_judged.fused for step in draft.steps), *again),
        none=max(fused.none.fused, fused.ask.fused),
        prior={tool.name: tool.judged.prior for tool in fused.tools},
        model=dict(fused.evidence.tools) if fused.evidence else None,
    )
    return plan_signals(beliefs)


def _links(draft: Draft) -> list[float]:
    """Give the probability of what was decided of each pair of steps."""
    return [
        judged.fused if judged.fused >= LINKED else 1.0 - judged.fused
        for step in draft.steps
        for judged in step.links.values()
    ]
