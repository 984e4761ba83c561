"""The state of one planning on its way down the ladder, and what it begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.calibration import PlannerCalibration
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.model import ModelExchange, ModelUsage
from planwarden.contracts.plan import PlannerMode, Refusal, Rung
from planwarden.contracts.task import Task
from planwarden.contracts.verdict import Allowed
from planwarden.planning.fusion.compose import Bounds
from planwarden.planning.notation.item import ASK, NONE
from planwarden.planning.notation.offer import Offer, OfferedTool, WaysOut
from planwarden.planning.permitted import permitted
from planwarden.planning.prior import Prior
from planwarden.planning.prompt import PromptSpec
from planwarden.policy.rules import ToolPolicy

FLOOR = 0.03
"""A tool less likely than this is not shown."""
LEAST_SHOWN = 3
"""So many are shown even below the floor."""
CONVERSATION_SHARE = 0.25
"""Of the planner's context: what earlier turns may take at most. A plan needs to know what was spoken of, not
every word of it, and each token costs the planner's time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannerSettings:
    """The knobs of planning; see docs/planner.md for what each does."""

    mode: PlannerMode = "fused"
    ask: Literal["auto", "always"] = "auto"
    """`auto`: in mode `fused` the model is asked only where its word can change the plan."""
    with_reason: bool = False
    """The model writes why; else reasons are taken from the catalog."""
    max_agents: int = 4
    shortlist: int = 8
    prompt_budget: int = 250
    """Tokens that instruction, tools and examples may take, as estimated; the request comes on top."""
    examples: int = 3
    conversation_share: float = CONVERSATION_SHARE
    """Of the model's context: what earlier turns may take at most; with 0 it is told none."""
    groundable_only: bool = False
    """See `PriorRequest`."""
    temperature: float = 0.0
    seed: int = 7
    max_output_tokens: int = 256
    reuse_prompt: bool = False
    """See `LLMRequest`."""
    timeout_s: float = 60.0
    num_ctx: int = 4096
    """Of the planner model, in tokens."""
    min_confidence: float = 0.0
    on_low_confidence: str = "fallback"
    """`fallback` or `person`."""
    reuse_plans: Literal["never", "rescue", "first"] = "rescue"
    """When a repeat gets the remembered plan: where the model's own was refused, or before it is asked."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One planning, on its way down the ladder."""

    task: Task
    catalog: Catalog
    policy: ToolPolicy
    remembered: Sequence[RememberedPlan]
    prior: Prior
    bounds: Bounds
    spec: PromptSpec
    """What the model is shown; made smaller where it does not fit."""
    calibration: PlannerCalibration
    exchanges: list[ModelExchange] = field(default_factory=list[ModelExchange])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    last_reply: str | None = None

    def refuse(self, rung: Rung, reason: str, message: str, field_path: str = "") -> None:
        """Keep why a rung refused."""
        refusal = Refusal(rung=rung, reason=reason, field=field_path[:200], message=message[:2_000])
        self.refusals.append(refusal)

    @property
    def usage(self) -> ModelUsage:
        """Give what all exchanges cost together."""
        return ModelUsage(
            prompt_tokens=sum(exchange.usage.prompt_tokens for exchange in self.exchanges),
            cached_tokens=sum(exchange.usage.cached_tokens for exchange in self.exchanges),
            output_tokens=sum(exchange.usage.output_tokens for exchange in self.exchanges),
            latency_s=sum(exchange.usage.latency_s for exchange in self.exchanges),
        )


def bounds_of(catalog: Catalog, policy: ToolPolicy, max_agents: int) -> Bounds:
    """Say what a plan must keep within. Pure."""
    return Bounds(
        pairs=permitted(catalog, policy).own,
        ways_out=offered_ways_out(catalog, policy),
        max_agents=max_agents,
    )


def offered_ways_out(catalog: Catalog, policy: ToolPolicy) -> WaysOut:
    """Say which ways out catalog and policy offer; a word that is also a tool's name is none. Pure."""
    spec = catalog.agents.get(FALLBACK_AGENT)
    allowed = (
        spec is not None
        and spec.may_answer_without_tools
        and isinstance(policy.may_answer_without_tools(FALLBACK_AGENT), Allowed)
    )
    names = catalog.tools
    return WaysOut(answer=allowed and NONE not in names, ask=allowed and ASK not in names)


def shown_to_model(prior: Prior, catalog: Catalog, bounds: Bounds, settings: PlannerSettings) -> PromptSpec:
    """Choose what the model is shown: likely tools in the catalog's order, and the nearest examples. Pure.

    A model that decides alone is shown as many as the shortlist holds; one whose word is fused with the prior
    only those that are likely enough to be planned.
    """
    usable = [tool for tool in prior.tools if any(tool.name in own for own in bounds.pairs.values())]
    likely = [tool.name for tool in usable if settings.mode == "model" or tool.probability >= FLOOR]
    ranked = tuple(likely if len(likely) >= LEAST_SHOWN else [t.name for t in usable[:LEAST_SHOWN]])
    ranked = ranked[: settings.shortlist]
    shown = sorted(ranked, key=catalog.places.__getitem__)
    offer = Offer(tools=tuple(_offered(name, prior, bounds) for name in shown), ways_out=bounds.ways_out)
    told = [each for each in prior.examples if all(item.tool in ranked for item in each.items)]
    examples = tuple(told[-settings.examples :] if settings.examples else ())
    if not bounds.ways_out.answer:
        examples = tuple(each for each in examples if each.items)
    return PromptSpec(offer=offer, examples=examples, ranked=ranked, with_reason=settings.with_reason)


def _offered(name: str, prior: Prior, bounds: Bounds) -> OfferedTool:
    """Offer a tool; its stand-ins only where there is something to choose, and every agent may call them."""
    agents = tuple(agent for agent, _ in prior.agents.get(name, ()) if name in bounds.pairs.get(agent, ()))
    stand_ins = tuple(
        each
        for each in prior.fallbacks.get(name, ())
        if each != name and all(each in bounds.pairs[agent] for agent in agents)
    )
    return OfferedTool(name=name, agents=agents, stand_ins=stand_ins if len(stand_ins) > 1 else ())
