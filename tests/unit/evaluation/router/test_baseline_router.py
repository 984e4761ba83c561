"""The baseline router: what it plans, what it is fitted on, and that the product cannot reach it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planwarden.catalog.catalog import Catalog, build_catalog
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.specs import AgentSpec, ToolExample, ToolSpec
from planwarden.contracts.task import Task
from planwarden.errors import DataRejected
from planwarden.evaluation.own_tasks import shipped_own_tasks
from planwarden.evaluation.router.router import Router
from planwarden.evaluation.router.settings import RouterSettings, read_router, shipped_router
from planwarden.evaluation.router.words import clauses_of, words_of
from planwarden.planning.validate import PlanLimits, plan_issues
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

pytestmark = pytest.mark.anyio

CLOSED: dict[str, object] = {"type": "object", "properties": {}, "additionalProperties": False}


def a_tool(name: str, description: str, *examples: str, alternatives: tuple[str, ...] = ()) -> ToolSpec:
    return ToolSpec(
        name=name,
        description=description,
        effect="read",
        parameters=CLOSED,
        examples=tuple(ToolExample(request=each) for each in examples),
        alternatives=alternatives,
    )


CATALOG = build_catalog(
    (
        AgentSpec(name="money", description="Prices of stocks.", tools=("price.latest", "price.history")),
        AgentSpec(
            name="general_agent",
            description="All else.",
            tools=("price.latest", "files.write"),
            may_answer_without_tools=True,
        ),
    ),
    (
        a_tool(
            "price.latest", "The latest price of a stock", "what is IBM at", alternatives=("price.history",)
        ),
        a_tool("price.history", "How volatile a stock was over years"),
        a_tool("files.write", "Save a text into a file"),
    ),
)


def allowing(catalog: Catalog, *denied: str) -> ToolPolicy:
    deny = (Rule(name="no", says="deny", tools=denied),) if denied else ()
    allow = Rule(name="yes", says="allow", tools=("*",))
    return ToolPolicy(
        agents={
            name: AgentPolicy(rules=(*deny, allow), answer_without_tools=spec.may_answer_without_tools)
            for name, spec in catalog.agents.items()
        }
    )


async def planned(request: str, policy: ToolPolicy | None = None, **knobs: object) -> PlannerPlan | None:
    router = Router(RouterSettings.model_validate(knobs))
    given = allowing(CATALOG) if policy is None else policy
    return (await router.plan(Task(prompt=request), CATALOG, given)).decision.plan


def steps(plan: PlannerPlan | None) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    assert plan is not None
    return [(step.agent, step.tools, step.depends_on) for step in plan.steps]


@pytest.mark.requirement("SHD-2")
async def test_each_clause_gets_the_tool_whose_words_it_has_from_the_agent_made_for_it() -> None:
    plan = await planned("Latest price of IBM, and then save it into a file", handoff="words")
    assert steps(plan) == [
        ("money", ("price.latest",), ()),
        ("general_agent", ("files.write",), ("s1",)),
    ]
    assert plan is not None
    assert plan.metadata.handoff_strategy == "sequential"
    assert plan.steps[0].fallback_tools == ("price.history",)
    apart = await planned("Latest price of IBM, and then save it into a file", handoff="none")
    assert [depends for *_, depends in steps(apart)] == [(), ()]
    assert apart is not None
    assert apart.metadata.handoff_strategy == "parallel"


@pytest.mark.requirement("SHD-2")
async def test_a_request_in_no_words_of_the_catalog_takes_the_way_out_that_policy_allows() -> None:
    poem = await planned("Compose a sonnet")
    assert poem is not None
    assert (poem.metadata.way_out, steps(poem)) == ("answer_without_tools", [("general_agent", (), ())])
    asked = await planned("it", ask_below=2)
    assert asked is not None
    assert asked.metadata.way_out == "ask_user"
    closed = ToolPolicy(agents={"money": allowing(CATALOG).agents["money"]})
    assert await planned("Compose a sonnet", closed) is None
    assert steps(await planned("price", closed, least=1.0)) == [("money", ("price.latest",), ())]


@pytest.mark.requirement("SHD-2")
async def test_what_policy_denies_is_never_routed_to() -> None:
    plan = await planned("What is the latest price of a stock?", allowing(CATALOG, "price.latest"))
    assert "price.latest" not in {tool for _, tools, _ in steps(plan) for tool in tools}


@pytest.mark.requirement("SHD-2")
@given(request=st.text(min_size=1).filter(lambda text: text.strip() and "\x00" not in text))
@settings(max_examples=60, deadline=None)
def test_any_request_gives_the_same_plan_twice_and_one_that_may_be_followed(request: str) -> None:
    import anyio

    try:
        request.encode()
    except UnicodeEncodeError:
        return
    first, second = anyio.run(planned, request), anyio.run(planned, request)
    assert first == second
    assert first is not None
    assert not plan_issues(first, CATALOG, allowing(CATALOG), PlanLimits())


@pytest.mark.requirement("SHD-2")
def test_words_are_compared_without_endings_in_any_script_and_clauses_are_cut() -> None:
    assert words_of("stockPrices of the price_history") == ["stock", "pric", "pric", "history"]
    assert words_of("prices priced pricing price") == ["pric"] * 4
    assert words_of("studies study is bus") == ["study", "study", "bus"]
    assert words_of("東京") == ["東京"]
    assert clauses_of("Price of IBM. Save it") == ("Price of IBM", "Save it")
    assert clauses_of("the") == ("the",)


@pytest.mark.requirement("SHD-1")
def test_no_module_of_the_product_can_import_the_router_and_opening_the_product_does_not() -> None:
    root = Path(__file__).parents[4]
    contracts = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [forbidden] = [each for each in contracts if each["type"] == "forbidden"]
    assert forbidden["forbidden_modules"] == ["planwarden.evaluation.router"]
    product = {
        path.stem
        for path in (root / "src" / "planwarden").iterdir()
        if path.stem not in {"__init__", "__main__", "__pycache__", "py", "cli", "tuning", "evaluation"}
    }
    assert {name.removeprefix("planwarden.") for name in forbidden["source_modules"]} == product
    program = (
        "import sys, planwarden, planwarden.cli.main, planwarden.app.assembly;"
        "import planwarden.app.shadowing.again;"
        "print([name for name in sys.modules if name.startswith('planwarden.evaluation.router')])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.requirement("SHD-3")
def test_what_ships_was_fitted_on_the_tasks_of_the_ranker_and_on_none_that_are_held_out() -> None:
    record = shipped_router()
    assert record.fitted_on["own"] == sum(task.split == "train" for task in shipped_own_tasks())
    card = Path(__file__).parents[4] / "src/planwarden/planning/ranking/weights/README.md"
    named = {"nestful": "NESTFUL", "bfcl": "Berkeley", "sealtools": "Seal-Tools", "agentdojo": "AgentDojo"}
    text = card.read_text("utf-8")
    for source, called in {**named, "restbench": "RestBench"}.items():
        [row] = [line for line in text.splitlines() if line.startswith("|") and called in line]
        assert row.split("|")[3].strip() == str(record.fitted_on[source])
    assert "ultratool" not in record.fitted_on
    assert 0.5 < record.node_f1.low < record.node_f1.mean < record.node_f1.high < 0.8
    assert record.node_f1.count == sum(record.fitted_on.values())


@pytest.mark.requirement("SHD-3")
def test_a_file_that_is_no_record_of_a_router_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match=r"gone\.json cannot be read"):
        read_router(tmp_path / "gone.json")
    wrong = shipped_router().model_dump(mode="json")
    wrong["settings"]["k1"] = -1
    import json

    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(wrong), "utf-8")
    with pytest.raises(DataRejected, match=r"settings\.k1"):
        read_router(path)
