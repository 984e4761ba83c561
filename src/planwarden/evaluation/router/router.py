"""The baseline router as something that plans: no model, no memory, the same plan each time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from planwarden.catalog.catalog import FALLBACK_AGENT, Catalog
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.plan import PlanDecision, PlanMetadata, PlannedAgentStep, PlannerPlan, WayOut
from planwarden.contracts.task import Task
from planwarden.contracts.verdict import Allowed
from planwarden.evaluation.router.bm25 import RouterIndex, index_of, question_of
from planwarden.evaluation.router.route import Route, route
from planwarden.evaluation.router.settings import AgentRule, RouterSettings
from planwarden.evaluation.router.words import words_of
from planwarden.planning.permitted import allowed_pairs
from planwarden.planning.planner import Planning
from planwarden.policy.rules import ToolPolicy

KEPT_INDEXES = 8
Pairs = Mapping[str, tuple[str, ...]]
"""Catalog ∩ policy: agent → tools."""


class Router:
    """Routes tasks by keywords and BM25; keeps the index of the last few catalogs."""

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self._indexes: OrderedDict[str, RouterIndex] = OrderedDict()

    def prepare(self, catalog: Catalog) -> None:
        """Make a catalog's index, which is kept."""
        if catalog.digest not in self._indexes:
            self._indexes[catalog.digest] = index_of(tuple(catalog.tools.values()))
        self._indexes.move_to_end(catalog.digest)
        while len(self._indexes) > KEPT_INDEXES:
            self._indexes.popitem(last=False)

    async def plan(
        self,
        task: Task,
        catalog: Catalog,
        policy: ToolPolicy,
        remembered: Sequence[RememberedPlan] = (),  # noqa: ARG002 - a router of this kind remembers nothing
    ) -> Planning:
        """Route a task and write the route as a plan; no plan where nothing at all may be done."""
        self.prepare(catalog)
        pairs = allowed_pairs(catalog, policy)
        usable = {tool for tools in pairs.values() for tool in tools}
        question = question_of(task.prompt, self._indexes[catalog.digest])
        routed = route(question, usable, self._settings, may_leave=may_answer(catalog, policy))
        plan = plan_of(routed, task.prompt, catalog, policy, self._settings)
        return Planning(decision=PlanDecision(plan=plan), exchanges=())


def plan_of(
    routed: Route, request: str, catalog: Catalog, policy: ToolPolicy, settings: RouterSettings
) -> PlannerPlan | None:
    """Write a route as a plan: one tool a step, each of one agent. Pure."""
    metadata = PlanMetadata(source="prior", catalog_digest=catalog.digest, policy_digest=policy.digest)
    if not routed.tools:
        way_out: WayOut = "ask_user" if routed.way_out == "ask" else "answer_without_tools"
        if routed.way_out is None:
            return None
        step = PlannedAgentStep(id="s1", agent=FALLBACK_AGENT)
        return PlannerPlan(steps=(step,), metadata=metadata.model_copy(update={"way_out": way_out}))
    pairs = allowed_pairs(catalog, policy)
    agents = agents_of(routed.tools, request, catalog, pairs, settings.agent_rule)
    chained = all((place - 1, place) in routed.edges for place in range(1, len(routed.tools)))
    steps = tuple(
        PlannedAgentStep(
            id=f"s{place + 1}",
            agent=agents[tool],
            tools=(tool,),
            fallback_tools=tuple(
                other for other in catalog.tools[tool].alternatives if other in pairs[agents[tool]]
            )[:1],
            depends_on=tuple(f"s{before + 1}" for before, after in routed.edges if after == place),
        )
        for place, tool in enumerate(routed.tools)
    )
    handoff = "sequential" if chained else "parallel"
    return PlannerPlan(steps=steps, metadata=metadata.model_copy(update={"handoff_strategy": handoff}))


def agents_of(
    tools: Sequence[str], request: str, catalog: Catalog, pairs: Pairs, rule: AgentRule
) -> dict[str, str]:
    """Give each tool one of the agents that may call it. Pure."""
    said = set(words_of(request))

    def suits(agent: str) -> tuple[int, bool, int]:
        spec = catalog.agents[agent]
        own = set(words_of(f"{spec.description} {' '.join(spec.capabilities)}"))
        described = len(said & own) if rule == "described" else 0
        return described, agent != FALLBACK_AGENT, -len(pairs[agent])

    return {tool: max((agent for agent, own in pairs.items() if tool in own), key=suits) for tool in tools}


def may_answer(catalog: Catalog, policy: ToolPolicy) -> bool:
    """Say whether a plan may take a way out. Pure."""
    spec = catalog.agents.get(FALLBACK_AGENT)
    allowed = isinstance(policy.may_answer_without_tools(FALLBACK_AGENT), Allowed)
    return spec is not None and spec.may_answer_without_tools and allowed
