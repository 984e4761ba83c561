"""Plan many tasks with the embedded planner over a catalog that changes between requests.

Counts the names that stand in a plan and not in catalog ∩ policy at that moment (must be 0), and prints how
long a plan took. PLANWARDEN_BENCH_TASKS sets how many tasks (300).
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys

from planwarden import AgentSpec, Planwarden, Task, ToolExample, ToolSpec, load_settings
from planwarden.catalog.catalog import Catalog, build_catalog
from planwarden.contracts.plan import PlannerPlan
from planwarden.planning.attempt import PlannerSettings
from planwarden.planning.permitted import allowed_pairs
from planwarden.planning.planner import LLMOrchestrationPlanner
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

VERBS = (
    "find",
    "send",
    "book",
    "convert",
    "translate",
    "measure",
    "list",
    "delete",
    "compare",
    "draw",
    "schedule",
)
THINGS = (
    "invoice",
    "flight",
    "picture",
    "temperature",
    "contract",
    "recipe",
    "meeting",
    "song",
    "map",
    "parcel",
)
PHRASES = (
    "Please {v} the {t}",
    "I need to {v} a {t} and then {w} the {u}",
    "{v} every {t} of last week",
    "{t}?",
)


def make_catalog(chance: random.Random) -> tuple[Catalog, ToolPolicy]:
    """Make a small catalog with policy, drawn at random: some tools denied, one agent without a policy."""
    names = [f"{thing}.{verb}" for thing in THINGS for verb in VERBS]
    picked = chance.sample(names, chance.randint(4, 24))
    tools = [_tool(name, [other for other in picked if other != name], chance) for name in picked]
    agents = [
        AgentSpec(
            name=f"{chance.choice(THINGS)}_agent_{number}",
            description=f"Works with {chance.choice(THINGS)}s.",
            tools=tuple(chance.sample(picked, chance.randint(1, len(picked)))),
        )
        for number in range(chance.randint(1, 5))
    ]
    agents.append(AgentSpec(name="general_agent", description="All else.", may_answer_without_tools=True))
    policies = {
        agent.name: AgentPolicy(
            rules=(
                Rule(
                    name="not-these", says="deny", tools=tuple(chance.sample(picked, len(picked) // 3 or 1))
                ),
                Rule(name="others", says="allow", tools=("*",)),
            ),
            answer_without_tools=True,
        )
        for agent in agents[1:]
    }
    return build_catalog(agents, tools), ToolPolicy(agents=policies)


def _tool(name: str, others: list[str], chance: random.Random) -> ToolSpec:
    thing, verb = name.split(".")
    return ToolSpec(
        name=name,
        description=f"{verb.capitalize()} a {thing}",
        effect="read",
        parameters={"type": "object", "properties": {}, "additionalProperties": False},
        alternatives=tuple(chance.sample(others, min(1, len(others)))),
        examples=(ToolExample(request=f"{verb} my {thing}"),),
    )


def make_task(chance: random.Random) -> str:
    """Make a request, which the catalog of the moment may or may not serve."""
    words = {"v": chance.choice(VERBS), "w": chance.choice(VERBS), "t": chance.choice(THINGS)}
    return chance.choice(PHRASES).format(**words, u=chance.choice(THINGS))


def stray_names(plan: PlannerPlan, catalog: Catalog, policy: ToolPolicy) -> list[str]:
    """Give every name in a plan that is not in catalog ∩ policy."""
    pairs = allowed_pairs(catalog, policy)
    stray = [step.agent for step in plan.steps if step.agent not in catalog.agents]
    for step in plan.steps:
        named = (*step.tools, *step.fallback_tools)
        stray += [f"{step.agent}/{tool}" for tool in named if tool not in pairs.get(step.agent, ())]
    return stray


async def main() -> int:
    """Run the benchmark; the exit code says whether every name was allowed."""
    count = int(os.environ.get("PLANWARDEN_BENCH_TASKS", "300"))
    chance = random.Random(20261123)
    os.environ.update({"PLANNER_LLM__PROVIDER": "embedded", "LLM__PROVIDER": "embedded"})
    seconds: list[float] = []
    sources: dict[str, int] = {}
    stray: list[str] = []
    async with Planwarden.open(load_settings()) as planwarden:
        llm = (await planwarden.models()).planner
        planners = [
            LLMOrchestrationPlanner(llm, PlannerSettings(ask="always", groundable_only=True)),
            LLMOrchestrationPlanner(llm, PlannerSettings(mode="model")),
        ]
        for number in range(count):
            catalog, policy = make_catalog(chance)
            began = planwarden.clock.monotonic()
            planning = await planners[number % 2].plan(Task(prompt=make_task(chance)), catalog, policy)
            seconds.append(planwarden.clock.monotonic() - began)
            plan = planning.decision.plan
            source = plan.metadata.source if plan else "refused"
            sources[source] = sources.get(source, 0) + 1
            stray += stray_names(plan, catalog, policy) if plan else []
    quartiles = statistics.quantiles(seconds, n=4)
    print(f"planned names: {count} tasks over {count} catalogs, plans by source {sources}")
    print(f"  names outside catalog ∩ policy: {len(stray)}  {stray[:5] or ''}")
    print(
        f"  seconds per plan: median {quartiles[1]:.2f}, quartiles {quartiles[0]:.2f} and {quartiles[2]:.2f}"
    )
    return 1 if stray else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
