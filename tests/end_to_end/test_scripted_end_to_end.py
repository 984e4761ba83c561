"""Every end-to-end task with models that plan and answer rightly: what is left to go wrong is the product."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import scripted_minds
from judging import carry_out
from task import EndToEndTask
from tasks import TASKS

from planwarden import Planwarden, load_settings
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.scripted_llm import FunctionLLM

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("E2E-10")]


@pytest.fixture
async def planwarden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Planwarden]:
    service = FunctionLLM(scripted_minds.answer)
    monkeypatch.setenv("PLANWARDEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLANNER_LLM__MODE", "model")  # the scripted model is right: it decides
    monkeypatch.chdir(tmp_path)
    async with FakeOllama(service=service, models=("llama3.2:1b", "llama3.1:8b")).serve() as server:
        for role in ("PLANNER_LLM", "LLM"):
            monkeypatch.setenv(f"{role}__PROVIDER", "ollama")
            monkeypatch.setenv(f"{role}__BASE_URL", server.url)
        async with Planwarden.open(load_settings()) as opened:
            yield opened


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
async def test_a_rightly_planned_task_ends_in_the_right_outcome_with_tool_first_kept(
    planwarden: Planwarden, task: EndToEndTask
) -> None:
    judged = await carry_out(planwarden, task)
    assert judged.breaches == ()
    assert judged.right_tools, judged
    assert judged.right_outcome, judged


@pytest.mark.requirement("E2E-11")
def test_there_are_at_least_forty_tasks_and_each_of_the_five_agents_has_some() -> None:
    assert len(TASKS) >= 40
    agents = {task.agent for task in TASKS}
    assert agents == {
        "general_agent",
        "research_agent",
        "finance_agent",
        "creative_agent",
        "enterprise_agent",
    }
