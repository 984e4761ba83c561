"""The conformance suite on the embedded weights, on Ollama's protocol, and on a real Ollama if one is set."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
import pytest
from llm_service import CONTEXT_TOKENS, LLMServiceSuite

from planwarden.llm import model_file
from planwarden.llm.embedded import EmbeddedLLM
from planwarden.llm.engine import EmbeddedEngine, EngineOptions
from planwarden.llm.ollama import OllamaLLM
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
