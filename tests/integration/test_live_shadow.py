"""A process that stays open plans its shadows in its pauses, and its real runs do not notice."""

from __future__ import annotations

from typing import Any, cast

import pytest

from command_line import home, mind, offline
from planwarden import Planwarden, RunResult, Task, load_settings
from planwarden.app.shadowing.file import ShadowFile
from surfaces_kit import Mind

__all__ = ["home", "mind", "offline"]
pytestmark = [pytest.mark.anyio, pytest.mark.requirement("SHD-12")]

TASK = Task(prompt="What is the latest price of IBM?")


@pytest.fixture(autouse=True)
def shadowed(home: object, mind: Mind, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mind.server is not None
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__BASE_URL", mind.server.url)
    monkeypatch.setenv("SHADOW__RATE", "1")
    monkeypatch.setenv("SHADOW__PLANNER", "model=llama3.1:8b,seed=41")


def asked_of_shadow(mind: Mind) -> int:
    assert mind.server is not None
    bodies = cast("list[dict[str, Any]]", mind.server.bodies)
    return sum(body.get("options", {}).get("seed") == 41 for body in bodies)


async def carried_out(planwarden: Planwarden) -> RunResult:
    result = await planwarden.route_task(TASK)
    assert result.status == "completed"
    return result


async def test_each_run_is_planned_again_once_it_is_over_and_no_tool_is_called_for_it(mind: Mind) -> None:
    settings = load_settings()
    async with Planwarden.open(settings) as planwarden:
        runs = [await carried_out(planwarden) for _ in range(2)]
        await planwarden.shadow.drained()
        events = [len(await (await planwarden.journal()).read(run.run_id)) for run in runs]
    found = await ShadowFile(path=settings.shadow_path).read()
    assert [(each.run_id, each.state) for each in found.records] == [(run.run_id, "planned") for run in runs]
    assert asked_of_shadow(mind) >= 2
    for run, record, count in zip(runs, found.records, events, strict=True):
        assert record.plan is not None
        assert record.plan.sketch is not None
        assert record.plan.sketch.tools == ("finance.snapshot",)
        assert (record.model, record.provider) == ("llama3.1:8b", "ollama")
        assert run.dossier.adherence == 1.0
        assert count == run.state.seq


async def test_a_process_that_ends_leaves_its_shadows_due_and_asks_no_second_model(mind: Mind) -> None:
    settings = load_settings()
    async with Planwarden.open(settings) as planwarden:
        await carried_out(planwarden)
    found = await ShadowFile(path=settings.shadow_path).read()
    assert [record.state for record in found.records] == ["due"]
    assert asked_of_shadow(mind) == 0


async def test_nothing_is_begun_while_the_rate_is_0(mind: Mind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHADOW__RATE", "0")
    settings = load_settings()
    async with Planwarden.open(settings) as planwarden:
        await carried_out(planwarden)
        await planwarden.shadow.drained()
    assert not settings.shadow_path.exists()
    assert asked_of_shadow(mind) == 0
