"""The adapter that ships, on the real weights: it plans in the notation, and nobody else notices it."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from planwarden.app.system import SystemClock
from planwarden.contracts.model import Message
from planwarden.llm.embedded import adapter, model_file
from planwarden.llm.embedded.engine import EmbeddedEngine, EngineOptions
from planwarden.llm.embedded.service import EmbeddedLLM
from planwarden.llm.service import LLMReply, LLMRequest, LLMService
from planwarden.planning.notation.item import read_item
from planwarden.tuning.adapter_file import read_matrices
from planwarden.tuning.batches import END, chat
from planwarden.tuning.llama import AdaptedLlama, Lora, Matrices
from planwarden.tuning.weights import OpenWeights

pytestmark = [pytest.mark.anyio, pytest.mark.live]

PROMPT = (
    Message(
        role="system",
        content='Plan the task with these tools. Answer {"plan":["tool","tool<1"]}; <1 uses the result of'
        " step 1. If no tool fits: none.\nget_joke: Get a random joke\nencrypt_data: Encrypt data using a key"
        "\nsearch_restaurants: Search for restaurants by cuisine and place\nget_weather: Weather of a city",
    ),
    Message(role="user", content="Encrypt a random joke with the key secret."),
)
REQUEST = LLMRequest(messages=PROMPT, max_output_tokens=40, top_logprobs=3)
AGENTS = LLMRequest(
    messages=(Message(role="user", content="Is Oslo in Norway?"),),
    output_schema={"enum": ["yes", "no"]},
    top_logprobs=10,
)


def weights() -> Path:
    found = model_file.find(platformdirs.user_cache_path("planwarden") / "models")
    assert found, "run `planwarden models fetch`"
    return found


def shipped() -> adapter.Adapter:
    found = adapter.shipped(model_file.SMOLLM2.digest)
    assert found
    return found


def engine(with_adapter: Path | None) -> EmbeddedEngine:
    options = EngineOptions(path=weights(), n_ctx=512, adapter=with_adapter, listener_key="k" * 32)
    return EmbeddedEngine(options, check=str)


def service(on: EmbeddedEngine, named: str | None = None) -> EmbeddedLLM:
    return EmbeddedLLM(on, clock=SystemClock(), digest=model_file.SMOLLM2.digest, adapter=named)


async def asked(llm: LLMService, request: LLMRequest = REQUEST) -> LLMReply:
    return await llm.complete(request)


@pytest.mark.requirement("TUNE-4")
async def test_the_tuned_planner_writes_the_notation_unasked_and_agents_get_the_bare_model() -> None:
    shared, alone = engine(shipped().path), engine(None)
    planner, agents, bare = service(shared, shipped().digest), service(shared), service(alone)
    plan = await asked(planner)
    beside = await asked(agents, AGENTS)
    without = await asked(bare, AGENTS)
    tuned = await asked(planner, AGENTS)
    for each in (planner, agents, bare):
        await each.aclose()
    items = [read_item(item) for item in json.loads(plan.text)["plan"]]
    assert items
    assert all(item is not None and f"\n{item.tool}:" in PROMPT[0].content for item in items)
    assert (beside.text, beside.tokens) == (without.text, without.tokens)
    assert tuned.tokens != without.tokens


@pytest.mark.requirement("TUNE-8")
async def test_a_second_plan_over_the_same_tools_reads_only_the_request_anew() -> None:
    shared = engine(shipped().path)
    planner = service(shared, shipped().digest)
    first = await asked(planner, LLMRequest(messages=PROMPT, max_output_tokens=40, reuse_prompt=True))
    other = (PROMPT[0], Message(role="user", content="How is the weather in Oslo?"))
    second = await asked(planner, LLMRequest(messages=other, max_output_tokens=40, reuse_prompt=True))
    anew = await asked(planner, LLMRequest(messages=other, max_output_tokens=40))
    await planner.aclose()
    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens > 0.7 * second.usage.prompt_tokens
    assert anew.usage.cached_tokens == 0
    assert second.text == anew.text == '{"plan":["get_weather"]}'


@pytest.mark.requirement("RANK-16")
async def test_with_and_without_what_was_kept_every_probability_is_the_same_to_the_last_digit() -> None:
    shared = engine(shipped().path)
    planner = service(shared, shipped().digest)
    requests = ["How is the weather in Oslo?", "How is the weather in Rome, and a joke?", "Encrypt a joke."]
    asking = [replace(REQUEST, messages=(PROMPT[0], Message(role="user", content=text))) for text in requests]
    anew = [await asked(planner, each) for each in asking]
    kept = [await asked(planner, replace(each, reuse_prompt=True)) for each in (*asking, asking[-1])]
    longer = (*asking[-1].messages, Message(role="assistant", content=kept[-1].text), *PROMPT[1:])
    goes_on = [
        await asked(planner, replace(REQUEST, messages=longer, reuse_prompt=reuse)) for reuse in (True, False)
    ]
    await planner.aclose()
    assert [each.tokens for each in kept] == [each.tokens for each in (*anew, anew[-1])]
    assert all(each.usage.cached_tokens > 0.7 * each.usage.prompt_tokens for each in kept[1:])
    assert kept[-1].usage.cached_tokens > 0.9 * kept[-1].usage.prompt_tokens
    assert goes_on[0].tokens == goes_on[1].tokens


@pytest.mark.requirement("TUNE-13")
async def test_the_adapter_that_ships_weighs_every_token_in_training_as_the_engine_does() -> None:
    pytest.importorskip("torch", reason="torch is not here: pip install '.[tune]'")
    pytest.importorskip("tokenizers", reason="tokenizers is not here: pip install '.[tune]'")
    planner = service(engine(shipped().path), shipped().digest)
    reply = await asked(planner)
    await planner.aclose()
    said = [each.logprob for each in reply.tokens]
    start = read_matrices(shipped().path, Lora())
    assert isinstance(start, Matrices)
    assert training_says(reply.text, start)[: len(said)] == pytest.approx(said, abs=0.1)
    # Without it the same tokens are far off, so the closeness is the adapter's.
    assert sum(training_says(reply.text, None)) < sum(said) - 5.0


def training_says(text: str, start: Matrices | None) -> list[float]:
    """Give the log-probability of each token of a reply, as training computes it."""
    torch: Any = importlib.import_module("torch")
    opened = OpenWeights(weights())
    tokens = opened.tokenizer()
    prompt, reply = tokens.ids(chat(PROMPT)), tokens.ids(text + END)
    model = AdaptedLlama(opened, Lora(), device="cpu", seed=1, start=start)
    places = torch.arange(len(prompt) - 1, len(prompt) - 1 + len(reply))
    with torch.no_grad():
        logits = model.logits(torch.tensor([[*prompt, *reply]]), torch.zeros_like(places), places)
    chosen = logits.log_softmax(-1).gather(1, torch.tensor(reply)[:, None])
    return [float(each) for each in chosen[:, 0]]
