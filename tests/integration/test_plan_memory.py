"""From a run that worked to a repeat without a model: the memory on the product path, over real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from planwarden.app.planwarden import Planwarden
from planwarden.app.result import RunResult
from planwarden.configuration.settings import AgentModel, PlannerModel, Settings
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.task import Task
from planwarden.errors import StoreCorrupt
from planwarden.llm.service import LLMRequest
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.scripted_llm import FunctionLLM

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("MEM-9")]

MODEL = "fake:1b"
PRICE = Task(prompt="What is the latest price of IBM?")


@dataclass(slots=True)
class Bench:
    """A Planwarden with a planner and agents that can be switched off."""

    pw: Planwarden
    planner: FakeOllama
    asked: list[LLMRequest]

    async def run(self, task: Task = PRICE, plan: PlannerPlan | None = None) -> RunResult:
        return await self.pw.route_task(task, plan)

    async def source_without_model(self, task: Task = PRICE) -> str:
        """Say where the plan of a task comes from while the planner model is out."""
        self.planner.fault = "status_500"
        try:
            planning = await self.pw.plan_task(task)
        finally:
            self.planner.fault = None
        assert planning.decision.plan is not None
        return planning.decision.plan.metadata.source


@asynccontextmanager
async def bench(home: Path, **planner: Any) -> AsyncGenerator[Bench]:
    asked: list[LLMRequest] = []

    def plan(request: LLMRequest) -> str:
        asked.append(request)
        return '{"plan":["finance.snapshot"]}'

    def work(request: LLMRequest) -> str:
        return '{"symbol":"IBM"}' if request.output_schema else "IBM stood at 125.55 [s1.1]."

    planners, agents = (FakeOllama(service=FunctionLLM(each), models=(MODEL,)) for each in (plan, work))
    memory = planner.pop("memory", "on")
    planner = {"mode": "model", "reasons": "catalog", **planner}
    async with planners.serve(), agents.serve():
        settings = Settings(
            planner_llm=PlannerModel(
                provider="ollama",
                base_url=planners.url,
                model=MODEL,
                retries=0,
                circuit_failures=0,
                **planner,
            ),
            llm=AgentModel(provider="ollama", base_url=agents.url, model=MODEL, retries=0),
            planwarden_home=home,
            planwarden_memory=memory,
        )
        async with Planwarden.open(settings) as pw:
            yield Bench(pw, planners, asked)


def a_plan(*tools: str) -> str:
    step = {"id": "s1", "agent": "finance_agent", "tools": list(tools)}
    metadata = {"source": "edited"}
    return json.dumps({"schema_version": 2, "steps": [step], "metadata": metadata, "confidence": 1.0})


def source(result: RunResult) -> str:
    assert result.plan is not None
    return result.plan.metadata.source


async def test_a_run_teaches_and_the_same_request_without_a_model_gets_its_plan(tmp_path: Path) -> None:
    async with bench(tmp_path / "home") as there:
        first = await there.run()
        assert (first.status, source(first)) == ("completed", "planner")
        there.planner.fault = "status_500"
        again = await there.run(PRICE.model_copy(update={"prompt": "What is  the latest price of IBM?\n"}))
        other = await there.run(Task(prompt="What is the latest price of MSFT?"))
    assert (again.status, source(again)) == ("completed", "cached")
    assert again.plan is not None
    assert first.plan is not None
    assert [step.tools for step in again.plan.steps] == [step.tools for step in first.plan.steps]
    assert again.plan.steps[0].reason == f"as in run {first.run_id}"
    assert [refusal.rung for refusal in again.plan.metadata.refusals] == ["constrained_output"]
    assert again.dossier.calls[0].tool == "finance.snapshot"
    assert source(other) != "cached"


async def test_it_is_remembered_by_the_next_process_and_survives_the_loss_of_its_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with bench(home) as there:
        await there.run()
    async with bench(home) as there:
        assert await there.source_without_model() == "cached"
        (home / "memory.db").unlink()
        assert await there.source_without_model() != "cached"
        rebuilt = await there.pw.rebuild_memory()
        assert (rebuilt.runs, rebuilt.damaged, rebuilt.remembered) == (1, 0, 1)
        assert await there.source_without_model() == "cached"


async def test_where_reuse_comes_first_the_model_is_not_asked_again(tmp_path: Path) -> None:
    async with bench(tmp_path / "home", reuse_plans="first") as there:
        await there.run()
        assert len(there.asked) == 1
        assert source(await there.run()) == "cached"
        assert len(there.asked) == 1


async def test_another_catalog_or_policy_gets_no_plan_of_before(tmp_path: Path) -> None:
    catalog = tmp_path / "planwarden.yaml"
    async with bench(tmp_path / "home") as there:
        await there.run()
        agent = "  finance_agent:\n    description: Prices.\n    tools: [finance.snapshot]\n"
        general = "  general_agent:\n    description: Helps.\n    may_answer_without_tools: true\n"
        rules = '  finance_agent: {rules: [{name: reads, allow: ["*"]}]}\n'
        rules += "  general_agent: {answer_without_tools: true}\n"
        catalog.write_text(f"version: 1\nagents:\n{agent}{general}policies:\n{rules}", "utf-8")
        settings = there.pw.settings.model_copy(update={"planwarden_config": catalog})
        async with Planwarden.open(settings) as changed:
            assert await Bench(changed, there.planner, []).source_without_model() != "cached"
        assert await there.source_without_model() == "cached"


def tasks(prompt: str, places: Sequence[tuple[str, str | None]]) -> list[Task]:
    return [Task(prompt=prompt, tenant=tenant, conversation=name) for tenant, name in places]


async def test_nothing_leaks_between_tenants_or_conversations(tmp_path: Path) -> None:
    async with bench(tmp_path / "home") as there:
        secret = "What is the price of IBM for Project Walrus?"
        await there.run(Task(prompt=secret, tenant="acme", conversation="c1"))
        others: list[tuple[str, str | None]] = [
            ("acme", None), ("acme", "c2"), ("default", None), ("default", "c1"), ("other", "c1"),
        ]  # fmt: skip
        before = len(there.asked)
        for task in tasks("And what of the price of IBM in general?", others):
            await there.pw.plan_task(task)
        told = " ".join(message.content for each in there.asked[before:] for message in each.messages)
        assert "Walrus" not in told
        for task in tasks(secret, others):
            assert await there.source_without_model(task) != "cached"
            seen = await there.pw.memory.recall(task.tenant, task.conversation)
            assert seen == ()
        assert len(await there.pw.memory.recall("acme", "c1")) == 1


async def test_what_a_person_brought_along_outweighs_what_runs_taught(tmp_path: Path) -> None:
    async with bench(tmp_path / "home") as there:
        await there.pw.add_example(a_plan("finance.analytics"), PRICE)
        await there.run()
        there.planner.fault = "status_500"
        planning = await there.pw.plan_task(PRICE)
    assert planning.decision.plan is not None
    assert planning.decision.plan.metadata.source == "cached"
    assert planning.decision.plan.steps[0].tools == ("finance.analytics",)


async def test_a_run_that_was_forgotten_does_not_come_back(tmp_path: Path) -> None:
    async with bench(tmp_path / "home") as there:
        first = await there.run()
        assert await there.pw.forget_run(first.run_id) == 1
        assert await there.source_without_model() != "cached"
        await there.pw.resume(first.run_id)
        rebuilt = await there.pw.rebuild_memory()
        assert (rebuilt.runs, rebuilt.remembered) == (1, 0)
        assert await there.source_without_model() != "cached"


async def test_off_means_that_nothing_is_kept_and_nothing_recalled(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with bench(home, memory="off") as there:
        await there.run()
        assert not (home / "memory.db").exists()
    async with bench(home) as there:
        await there.run()
    async with bench(home, memory="off") as there:
        assert await there.source_without_model() != "cached"


async def test_a_damaged_memory_is_said_before_a_run_begins(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with bench(home) as there:
        await there.run()
        (home / "memory.db").write_text("no database " * 500)
        for work in (there.run, there.pw.plan_task):
            with pytest.raises(StoreCorrupt, match=r"memory\.db is damaged"):
                await work(PRICE)
        assert len(await there.pw.record.runs()) == 1


async def test_a_memory_that_cannot_be_written_spoils_no_run_and_a_rebuild_mends_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    async with bench(home) as there:
        result = await there.run()
        (home / "memory.db").write_text("no database " * 500)
        assert (await there.pw.resume(result.run_id)).status == "completed"
        assert "memory_not_written" in caplog.text
        (home / "memory.db").unlink()
        assert (await there.pw.rebuild_memory()).remembered == 1
