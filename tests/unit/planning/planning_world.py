"""What tests of planning share: a small catalog with its policy, and replies in the notation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from planwarden.catalog.catalog import Catalog, build_catalog
from planwarden.contracts.plan import PlanMetadata, PlannedAgentStep, PlannerMode, PlannerPlan
from planwarden.contracts.specs import AgentSpec, Effect, ToolExample, ToolSpec
from planwarden.llm.service import LLMService
from planwarden.planning.attempt import PlannerSettings, bounds_of, shown_to_model
from planwarden.planning.notation.offer import Offer
from planwarden.planning.planner import LLMOrchestrationPlanner
from planwarden.planning.prior import PriorRequest
from planwarden.planning.retrieval_prior import RetrievalPrior
from planwarden.planning.shortlist import Retriever, Shortlist
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

PARAMETERS = {
    "type": "object",
    "properties": {"word": {"type": "string"}, "count": {"type": "integer"}},
    "additionalProperties": False,
}
ASKED = "common price quote history documents sum time file"
"""Shares a word with every tool of the world, so that all of them are shown."""


def tool(
    name: str, description: str, *, effect: Effect = "read", alternatives: Sequence[str] = ()
) -> ToolSpec:
    return ToolSpec(
        name=name,
        description=description,
        effect=effect,
        parameters=dict(PARAMETERS),
        output={"type": "object"} if name.startswith("finance") else "opaque",
        alternatives=tuple(alternatives),
        examples=(ToolExample(request=f"common {description.lower()}"),),
    )


TOOLS = (
    tool("finance.snapshot", "Common price quote", alternatives=["finance.analytics"]),
    tool("finance.analytics", "Common price history"),
    tool("research.search", "Common documents to find"),
    tool("files.write", "Common file to write", effect="write"),
    tool("utils.calculator", "Common sum to compute"),
    tool("utils.clock", "Common time of day"),
)
AGENTS = (
    AgentSpec(
        name="general_agent",
        description="Anything",
        tools=("utils.calculator", "utils.clock"),
        may_answer_without_tools=True,
    ),
    AgentSpec(name="finance_agent", description="Prices", tools=("finance.snapshot", "finance.analytics")),
    AgentSpec(name="research_agent", description="Documents", tools=("research.search",)),
    AgentSpec(name="writing_agent", description="Files", tools=("files.write",)),
)


def make_catalog(
    agents: Sequence[AgentSpec] = AGENTS, tools: Sequence[ToolSpec] = TOOLS, **aliases: str
) -> Catalog:
    return build_catalog(agents, tools, aliases)


def allow(*patterns: str, answer: bool = False) -> AgentPolicy:
    rules = (Rule(name="allowed", says="allow", tools=patterns),) if patterns else ()
    return AgentPolicy(rules=rules, answer_without_tools=answer)


def make_policy(**changed: AgentPolicy) -> ToolPolicy:
    """Allow every agent its tools; `changed` replaces single agents' policies."""
    agents: dict[str, AgentPolicy] = {
        "general_agent": allow("utils.*", answer=True),
        "finance_agent": allow("finance.*"),
        "research_agent": allow("research.*"),
        "writing_agent": AgentPolicy(rules=(Rule(name="asks", says="ask", tools=("files.write",)),)),
    }
    return ToolPolicy(agents=agents | changed)


def planner(llm: LLMService, **settings: object) -> LLMOrchestrationPlanner:
    """Make a planner whose model decides alone, unless `settings` say otherwise."""
    knobs: Mapping[str, object] = {"mode": "model", "shortlist": 6, "prompt_budget": 2_000, **settings}
    return LLMOrchestrationPlanner(llm, PlannerSettings(**knobs))  # pyright: ignore[reportArgumentType] - knobs by name, each test gives the right type


def shortlist(
    catalog: Catalog, policy: ToolPolicy, text: str = ASKED, *, size: int = 6, near: float = 0.0
) -> Shortlist:
    retriever = Retriever()
    try:
        return retriever.shortlist(text, catalog, policy, size=size, near=near)
    finally:
        retriever.close()


def offer(
    catalog: Catalog, policy: ToolPolicy, text: str = ASKED, *, mode: PlannerMode = "model", size: int = 6
) -> Offer:
    """Give what a planner model may write for a request."""
    source = RetrievalPrior()
    try:
        prior = source.prior(PriorRequest(text=text, catalog=catalog, policy=policy))
    finally:
        source.close()
    settings = PlannerSettings(mode=mode, shortlist=size)
    return shown_to_model(prior, catalog, bounds_of(catalog, policy, 4), settings).offer


def written(value: object) -> str:
    """Write a reply as a constrained model does: without free whitespace."""
    return json.dumps(value, separators=(",", ":"))


def wire(*items: str, **more: object) -> str:
    """Write a plan in the notation."""
    return written({"plan": list(items), **more})


GOOD = wire("finance.snapshot")


def step(step_id: str = "s1", agent: str = "finance_agent", *tools: str, **more: object) -> PlannedAgentStep:
    value = {"id": step_id, "agent": agent, "tools": tools or ("finance.snapshot",), **more}
    return PlannedAgentStep.model_validate(value)


def plan(*steps: PlannedAgentStep, **metadata: object) -> PlannerPlan:
    described = PlanMetadata.model_validate({"source": "edited", **metadata})
    return PlannerPlan(steps=steps or (step(),), metadata=described)
