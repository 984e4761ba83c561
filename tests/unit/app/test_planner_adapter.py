"""What the configuration makes of a planner model with an adapter on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from planwarden.app.assembly import make_planner
from planwarden.configuration.settings import PlannerModel
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.task import Exchange, Task
from planwarden.evaluation.own_benchmark import shipped_world
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.planning.planner import Planning
from planwarden.testing.scripted_llm import FunctionLLM

pytestmark = pytest.mark.anyio

DIGEST = "sha256:" + "0" * 64


class Adapted(FunctionLLM):
    """A double whose weights have an adapter on, or not."""

    def __init__(self, adapter: str | None, provider: str = "embedded") -> None:
        self.requests: list[LLMRequest] = []
        self.adapter = adapter
        self.provider = provider
        super().__init__(self._reply)

    @property
    def identity(self) -> ModelIdentity:
        return ModelIdentity(provider=self.provider, model="m", digest=DIGEST, adapter=self.adapter)

    def _reply(self, request: LLMRequest) -> str | LLMReply:
        self.requests.append(request)
        return '{"plan":["finance.snapshot"]}'


async def planned(llm: Adapted, folder: Path, chosen: PlannerModel, task: Task) -> Planning:
    world = shipped_world(folder)
    planner = make_planner(chosen, llm)
    planning = await planner.plan(task, world.catalog, world.policy)
    planner.close()
    return planning


async def asked(
    folder: Path, adapter: str | None, chosen: PlannerModel, provider: str = "embedded"
) -> LLMRequest:
    llm = Adapted(adapter, provider)
    await planned(llm, folder, chosen, Task(prompt="What is the latest price of IBM?"))
    return llm.requests[0]


@pytest.mark.requirement("TUNE-10")
async def test_a_model_with_an_adapter_is_shown_no_worked_examples_unless_a_number_is_set(
    tmp_path: Path,
) -> None:
    alone = PlannerModel(mode="model", prompt_budget=2_000)
    roles = [each.role for each in (await asked(tmp_path, DIGEST, alone)).messages]
    assert roles == ["system", "user"]
    assert len((await asked(tmp_path, None, alone)).messages) > 2
    two = alone.model_copy(update={"examples": 2})
    assert len((await asked(tmp_path, DIGEST, two)).messages) == 2 + 2 * 2


@pytest.mark.requirement("TUNE-11")
async def test_a_model_with_an_adapter_is_asked_for_no_reasons_wherever_it_runs(tmp_path: Path) -> None:
    async def reasons(adapter: str | None, **chosen: Any) -> bool:
        made = PlannerModel(mode="model", **chosen)
        schema = (await asked(tmp_path, adapter, made, "ollama")).output_schema or {}
        return "why" in cast("dict[str, object]", schema["properties"])

    assert not await reasons(DIGEST)  # it was trained to write the plan and nothing else
    assert await reasons(None)
    assert await reasons(DIGEST, reasons="model")


@pytest.mark.requirement("CNV-5")
@pytest.mark.parametrize("provider", ["embedded", "ollama"])
async def test_a_model_with_an_adapter_is_told_no_earlier_turns_and_the_record_counts_them(
    tmp_path: Path, provider: str
) -> None:
    said = (Exchange(role="user", content="Price of IBM?"), Exchange(role="assistant", content="125.55."))
    task = Task(prompt="Who are you?", exchanges=said)
    for adapter, left_out in ((DIGEST, 1), (None, 0)):
        llm = Adapted(adapter, provider)
        planning = await planned(llm, tmp_path, PlannerModel(mode="model"), task)
        assert ("Price of IBM?" in llm.requests[0].messages[-1].content) is (left_out == 0)
        assert planning.exchanges[0].turns_left_out == left_out


@pytest.mark.requirement("TUNE-8")
async def test_the_setting_reaches_the_request(tmp_path: Path) -> None:
    assert (await asked(tmp_path, None, PlannerModel(mode="model"))).reuse_prompt
    assert not (await asked(tmp_path, None, PlannerModel(mode="model", reuse_prompt=False))).reuse_prompt
