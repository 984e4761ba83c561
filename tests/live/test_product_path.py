"""The product path with the embedded model and real data: from a task to an answer and a dossier."""

from __future__ import annotations

from pathlib import Path

import pytest

from planwarden import Planwarden, Settings, Task, load_settings
from planwarden.contracts.verdict import Denied

pytestmark = [pytest.mark.live, pytest.mark.anyio, pytest.mark.requirement("E2E-1")]

PRICES = "symbol,date,price\n" + "\n".join(
    f"{symbol},2024-{month:02d}-01,{base + 3 * month}.50"
    for symbol, base in (("ZETA", 40), ("OMEGA", 700))
    for month in range(1, 13)
)
NOTES = """# Refunds
A refund is paid within fourteen days after the parcel has come back to the warehouse.

# Opening hours
The shop is open from nine to six, Monday to Friday.
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PLANNER_LLM__PROVIDER", "embedded")
    monkeypatch.setenv("LLM__PROVIDER", "embedded")
    monkeypatch.setenv("PLANWARDEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return load_settings()


async def test_a_price_question_over_the_users_own_table_is_answered_from_it_with_evidence(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "quotes.csv").write_text(PRICES, "utf-8")
    async with Planwarden.open(settings) as planwarden:
        result = await planwarden.route_task(
            Task(prompt="What is the latest price of OMEGA?", data=("quotes.csv",))
        )
        faults = await planwarden.record.verify(result.run_id)
    assert result.status == "completed"
    assert result.answer is not None
    assert "736.5" in result.answer.text
    assert result.answer.evidence == ("s1.1",)
    assert [call.call.tool for call in result.state.calls] == ["finance.snapshot"]
    assert result.state.adherence == 1.0
    assert result.dossier_path.is_file()
    assert faults == ()


async def test_a_question_about_the_users_own_documents_quotes_the_passage(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "shop.md").write_text(NOTES, "utf-8")
    async with Planwarden.open(settings) as planwarden:
        result = await planwarden.route_task(
            Task(prompt="Search the documents for refund of a parcel", data=(str(folder),))
        )
    assert result.status == "completed"
    assert result.answer is not None
    assert "fourteen days" in result.answer.text


@pytest.mark.requirement("E2E-2")
async def test_two_things_asked_make_two_steps_and_the_second_builds_on_the_first(settings: Settings) -> None:
    task = Task(prompt="What is the latest price of MSFT, and then what time is it in Tokyo?")
    async with Planwarden.open(settings) as planwarden:
        result = await planwarden.route_task(task)
    assert result.plan is not None
    assert [step.tools for step in result.plan.steps] == [("finance.snapshot",), ("utils.clock",)]
    assert [call.status for call in result.state.calls] == ["returned", "returned"]
    assert result.answer is not None
    assert result.answer.evidence[-1] == "s2.1"


@pytest.mark.requirement("E2E-3")
async def test_a_task_that_no_tool_fits_is_answered_without_tools_and_says_so(settings: Settings) -> None:
    async with Planwarden.open(settings) as planwarden:
        result = await planwarden.route_task(Task(prompt="Who are you?"))
    assert result.plan is not None
    assert result.plan.metadata.way_out == "answer_without_tools"
    assert result.state.calls == ()
    assert result.answer is not None
    assert not result.answer.grounded


@pytest.mark.requirement("E2E-4")
@pytest.mark.parametrize(
    "prompt",
    [
        "苹果公司的股价是多少?",
        "Wie spät ist es in Berlin?",
        "كم سعر السهم؟",
        "📈❓",
        "'); DROP TABLE runs; --",
    ],
)
async def test_a_task_in_any_language_gets_a_valid_plan(settings: Settings, prompt: str) -> None:
    async with Planwarden.open(settings) as planwarden:
        world = await planwarden.world()
        planning = await planwarden.plan_task(Task(prompt=prompt))
    plan = planning.decision.plan
    assert plan is not None
    assert plan.metadata.source in ("planner", "repaired", "prior")
    if plan.metadata.source == "prior":  # because the model did not move it, not because it failed
        assert planning.decision.refusals == ()
    for step in plan.steps:
        for tool in (*step.tools, *step.fallback_tools):
            assert tool in world.catalog.tools_of(step.agent)
            assert not isinstance(world.policy.decide(step.agent, tool), Denied)
