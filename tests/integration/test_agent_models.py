"""Agents with a model of their own: over real sockets, from the catalog file to the request that arrives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from planwarden.app.planwarden import Planwarden
from planwarden.configuration.settings import AgentModel, PlannerModel, Settings
from planwarden.contracts.run import RunState
from planwarden.contracts.task import Task
from planwarden.errors import ModelUnavailable
from planwarden.testing.model_server import MisbehavingServer

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-36")]

CATALOG = """\
version: 1
agents:
  general_agent:
    description: Computes.
    tools: [utils.calculator]
  creative_agent:
    description: Writes.
    tools: [creative.tonecheck]
    model: own
policies:
  general_agent: {rules: [{name: reads, allow: ["*"]}]}
  creative_agent: {rules: [{name: reads, allow: ["*"]}]}
models:
  own:
    provider: openai
    base_url: URL
    model: own-model
    temperature: 0.75
    seed: 99
    max_output_tokens: 77
    timeout_s: 20
  nobodys:
    provider: openai
    base_url: http://127.0.0.1:9/v1
    model: not-there
"""
STEPS = {"s1": ("general_agent", "utils.calculator"), "s2": ("creative_agent", "creative.tonecheck")}
PLAN = json.dumps(
    {
        "schema_version": 2,
        "steps": [
            {"id": step, "agent": agent, "tools": [tool], "reason": "", "confidence": 1}
            for step, (agent, tool) in STEPS.items()
        ],
        "metadata": {"handoff_strategy": "parallel", "source": "planner"},
        "confidence": 1,
    }
)
TASK = Task(prompt="Say it well.")
KEY = SecretStr("for-the-default-server-only")


def settings(folder: Path, common: str, own: str) -> Settings:
    catalog = folder / "planwarden.yaml"
    catalog.write_text(CATALOG.replace("URL", f"{own}/v1"), "utf-8")
    return Settings(
        planner_llm=PlannerModel(provider="openai", base_url=common, model="common"),
        llm=AgentModel(
            provider="openai", base_url=common, model="common", temperature=0.25, seed=5, api_key=KEY
        ),
        planwarden_home=folder / "home",
        planwarden_config=catalog,
    )


async def test_each_agents_settings_reach_its_own_server_and_a_resumed_run_keeps_its_provider(
    tmp_path: Path,
) -> None:
    common = MisbehavingServer(model="common", reply=('{"expression":"1+1"}',))
    own = MisbehavingServer(model="own-model", reply=('{"text":"Well."}',))
    async with common.serve(), own.serve():
        given = settings(tmp_path, common.url, own.url)
        async with Planwarden.open(given) as planwarden:
            plan = await planwarden.accept_plan(PLAN, TASK)
            result = await planwarden.route_task(TASK, plan)
        started = result.state.started
        auto = given.llm.model_copy(update={"provider": "auto"})
        async with Planwarden.open(given.model_copy(update={"llm": auto})) as planwarden:
            world = await planwarden.world()
            again = await planwarden.models(started, world)
            assert again.agents.default.identity.provider == "openai"
            assert again.agents.of("creative_agent").identity.provider == "openai"
    first, second = common.chats[0], own.chats[0]
    assert (first["model"], first["temperature"], first["seed"]) == ("common", 0.25, 5)
    asked = (second["model"], second["temperature"], second["seed"], second["max_tokens"])
    assert asked == ("own-model", 0.75, 99, 77)
    assert list(started.agent_models) == ["creative_agent"]
    identity = started.agent_models["creative_agent"]
    assert (identity.provider, identity.model) == ("openai", "own-model")
    assert identity.chosen_because == "set by models.own.provider"
    assert KEY.get_secret_value() not in result.dossier.model_dump_json()


async def test_a_model_that_cannot_be_had_ends_the_run_before_anything_is_planned_or_done(
    tmp_path: Path,
) -> None:
    async with MisbehavingServer(model="common").serve() as common:
        given = settings(tmp_path, common.url, "http://127.0.0.1:9")
        async with Planwarden.open(given) as planwarden:
            with pytest.raises(ModelUnavailable, match="No answer from http://127"):
                await planwarden.route_task(TASK)
            ((_, state),) = await planwarden.record.runs()
            assert isinstance(state, RunState)
            assert state.status == "failed"
            assert state.decision is None
            assert not state.calls
