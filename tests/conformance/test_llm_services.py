"""The conformance suite on the embedded weights, on Ollama's protocol, and on a real Ollama if one is set."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from llm_service import CONTEXT_TOKENS, LLMServiceSuite

from planwarden.errors import ModelUnavailable
from planwarden.llm.embedded import model_file
from planwarden.llm.embedded.engine import EmbeddedEngine, EngineOptions, load_llama
from planwarden.llm.embedded.service import EmbeddedLLM
from planwarden.llm.library_model.opening import open_library_model
from planwarden.llm.ollama.service import OllamaLLM
from planwarden.llm.openai_chat.service import OpenAIChatLLM
from planwarden.llm.service import LLMService
from planwarden.testing.fake_ollama import FakeOllama

pytestmark = [pytest.mark.anyio, pytest.mark.live]


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def weights() -> Path:
    named = os.environ.get("PLANWARDEN_MODEL_FILE")
    found = Path(named) if named else model_file.find(platformdirs.user_cache_path("planwarden") / "models")
    assert found, "run `planwarden models fetch`, or set PLANWARDEN_MODEL_FILE"
    return found


@pytest.fixture(scope="module")
def engine() -> Iterator[EmbeddedEngine]:
    options = EngineOptions(path=weights(), n_ctx=CONTEXT_TOKENS, listener_key="a" * 32)
    engine = EmbeddedEngine(options, check=model_file.verify)
    engine.acquire()
    yield engine
    engine.close()


@pytest.fixture
def embedded(engine: EmbeddedEngine) -> EmbeddedLLM:
    return EmbeddedLLM(engine, clock=SystemClock(), digest=model_file.SMOLLM2.digest)


@pytest.mark.requirement("LLM-5")
class TestEmbedded(LLMServiceSuite):
    @pytest.fixture
    async def service(self, embedded: EmbeddedLLM) -> AsyncIterator[LLMService]:
        yield embedded
        await embedded.aclose()

    async def test_probabilities_do_not_depend_on_what_was_asked_before(self, service: LLMService) -> None:
        from llm_service import request

        first = await service.complete(request())
        await service.complete(request("Choose the agent for a paper."))
        assert (await service.complete(request())).tokens == first.tokens

    async def test_a_constrained_reply_has_no_free_whitespace(self, service: LLMService) -> None:
        from llm_service import request

        assert " " not in (await service.complete(request())).text


@pytest.mark.requirement("LLM-6")
class TestOllamaProtocol(LLMServiceSuite):
    @pytest.fixture
    async def service(self, embedded: EmbeddedLLM) -> AsyncIterator[LLMService]:
        async with FakeOllama(service=embedded).serve() as fake:
            ollama = await OllamaLLM.connect(
                base_url=fake.url, model="llama3.2:1b", clock=SystemClock(), num_ctx=CONTEXT_TOKENS
            )
            yield ollama
            await ollama.aclose()
        await embedded.aclose()


KEY = "k" * 32


@pytest.fixture(scope="module")
def listener() -> Iterator[str]:
    """Give the address of a real llama.cpp server on loopback, which wants KEY."""
    options = EngineOptions(path=weights(), n_ctx=CONTEXT_TOKENS, listener_key=KEY)
    server: Any = load_llama(options)
    yield server.listening_address
    del server


@pytest.mark.requirement("LLM-30")
class TestLlamaServer(LLMServiceSuite):
    tells_digest = False

    @pytest.fixture
    async def service(self, listener: str) -> AsyncIterator[LLMService]:
        service = await OpenAIChatLLM.connect(
            base_url=listener, model=str(weights()), clock=SystemClock(), api_key=KEY, num_ctx=CONTEXT_TOKENS
        )
        yield service
        await service.aclose()

    @pytest.mark.requirement("LLM-33")
    @pytest.mark.parametrize("key", ["", "wrong"])
    async def test_without_the_key_it_is_refused(self, listener: str, key: str) -> None:
        with pytest.raises(ModelUnavailable, match="refused the key") as refused:
            await OpenAIChatLLM.connect(
                base_url=listener, model=str(weights()), clock=SystemClock(), api_key=key
            )
        assert "Set LLM__API_KEY" in refused.value.remedy

    async def test_a_model_that_it_does_not_have_is_refused_with_those_it_has(self, listener: str) -> None:
        with pytest.raises(ModelUnavailable, match="does not list the model gpt-5") as refused:
            await OpenAIChatLLM.connect(base_url=listener, model="gpt-5", clock=SystemClock(), api_key=KEY)
        assert refused.value.remedy == f"Set MODEL={weights()}."

    @pytest.mark.requirement("LLM-7")
    async def test_health_says_where_the_server_has_less_context_than_is_set(self, listener: str) -> None:
        service = await OpenAIChatLLM.connect(
            base_url=listener, model=str(weights()), clock=SystemClock(), api_key=KEY, num_ctx=4096
        )
        health = await service.health()
        await service.aclose()
        assert f"context {CONTEXT_TOKENS} tokens, less than NUM_CTX=4096" in health.detail
        assert f"set NUM_CTX={CONTEXT_TOKENS}" in health.remedy


@pytest.mark.requirement("LLM-35")
class TestLibraryModel(LLMServiceSuite):
    """pydantic-ai's OpenAI model, pointed at the same llama.cpp server."""

    reports_tokens = False
    tells_context = False
    tells_digest = False

    @pytest.fixture
    async def service(self, listener: str) -> AsyncIterator[LLMService]:
        service = open_library_model(
            f"openai-chat:{weights()}",
            clock=SystemClock(),
            api_key=KEY,
            base_url=f"{listener}/v1",
            setting="LLM__{}".format,
        )
        yield service
        await service.aclose()


@pytest.mark.requirement("LLM-6")
@pytest.mark.skipif("PLANWARDEN_OLLAMA_URL" not in os.environ, reason="PLANWARDEN_OLLAMA_URL is not set")
class TestRealOllama(LLMServiceSuite):
    @pytest.fixture
    async def service(self) -> AsyncIterator[LLMService]:
        ollama = await OllamaLLM.connect(
            base_url=os.environ["PLANWARDEN_OLLAMA_URL"],
            model=os.environ.get("PLANWARDEN_OLLAMA_MODEL", "llama3.2:1b"),
            clock=SystemClock(),
            num_ctx=CONTEXT_TOKENS,
        )
        yield ollama
        await ollama.aclose()
