"""What `auto` chooses and what it says about it; what an explicit provider refuses."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from planwarden.errors import ModelFileRejected, ModelUnavailable, SettingsRejected
from planwarden.llm.embedded import model_file
from planwarden.llm.selection import LLMSettings, ModelOpener
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.model_server import MisbehavingServer
from planwarden.testing.scripted_llm import FunctionLLM

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-10")]

NOWHERE = "http://127.0.0.1:9"
SETTINGS = LLMSettings(model="llama3.2:1b", base_url=NOWHERE, prefix="PLANNER_LLM")


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


class FixedIds:
    def run_id(self) -> str:
        return "r1"

    def nonce(self) -> str:
        return "0" * 32


def silent(_: LLMRequest) -> str | LLMReply:
    raise AssertionError("choosing a model must not ask it anything")


def opener(cache: Path) -> ModelOpener:
    return ModelOpener(clock=StillClock(), ids=FixedIds(), cache_dir=cache)


@asynccontextmanager
async def ollama(*models: str, version: str = "0.32.15") -> AsyncGenerator[LLMSettings]:
    async with FakeOllama(service=FunctionLLM(silent), models=models, version=version).serve() as fake:
        yield replace(SETTINGS, base_url=fake.url)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.gguf"
    path.write_bytes(b"GGUF")
    return path


async def test_auto_takes_ollama_when_it_has_the_model_and_says_so(tmp_path: Path) -> None:
    async with ollama("llama3.2:1b") as settings:
        chosen = await opener(tmp_path).open(settings)
        await chosen.aclose()
    assert chosen.identity.provider == "ollama"
    assert chosen.identity.chosen_because == f"auto: Ollama at {settings.base_url} has llama3.2:1b"


async def test_auto_without_ollama_takes_the_embedded_model_and_says_why(tmp_path: Path, own: Path) -> None:
    chosen = await opener(tmp_path).open(replace(SETTINGS, model_file=own))
    await chosen.aclose()
    assert (chosen.identity.provider, chosen.identity.model) == ("embedded", "own")
    assert chosen.identity.digest == model_file.digest_of(own)
    assert chosen.identity.chosen_because == (
        f"auto: No Ollama at {NOWHERE} (connection refused); using the embedded trial model"
    )


@pytest.mark.parametrize(
    ("version", "models", "says"),
    [("0.32.15", (), "does not have the model llama3.2:1b"), ("0.5.0", ("llama3.2:1b",), "too old")],
)
async def test_auto_passes_over_an_ollama_that_cannot_serve_and_says_why(
    tmp_path: Path, own: Path, version: str, models: tuple[str, ...], says: str
) -> None:
    async with ollama(*models, version=version) as settings:
        chosen = await opener(tmp_path).open(replace(settings, model_file=own))
        await chosen.aclose()
    assert chosen.identity.provider == "embedded"
    assert says in chosen.identity.chosen_because


async def test_auto_with_neither_names_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(ModelFileRejected, match="connection refused") as neither:
        await opener(tmp_path).open(SETTINGS)
    assert "planwarden models fetch" in neither.value.remedy
    assert "ollama serve" in neither.value.remedy


async def test_ollama_when_set_is_never_replaced_by_another(tmp_path: Path, own: Path) -> None:
    with pytest.raises(ModelUnavailable, match="No Ollama"):
        await opener(tmp_path).open(replace(SETTINGS, provider="ollama", model_file=own))


async def test_an_explicit_provider_is_given_as_the_reason(tmp_path: Path, own: Path) -> None:
    embedded = await opener(tmp_path).open(replace(SETTINGS, provider="embedded", model_file=own))
    async with ollama("llama3.2:1b") as settings:
        remote = await opener(tmp_path).open(replace(settings, provider="ollama"))
        await remote.aclose()
    await embedded.aclose()
    assert {embedded.identity.chosen_because, remote.identity.chosen_because} == {
        "set by PLANNER_LLM__PROVIDER"
    }


@pytest.mark.requirement("LLM-9")
async def test_a_cached_file_with_other_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / model_file.SMOLLM2.file_name).write_bytes(b"GGUF")
    with pytest.raises(ModelFileRejected, match="not the pinned model"):
        await opener(tmp_path).open(replace(SETTINGS, provider="embedded"))


@pytest.mark.requirement("LLM-8")
async def test_planner_and_agents_on_the_same_file_share_one_engine_with_the_larger_context(
    tmp_path: Path, own: Path
) -> None:
    models = opener(tmp_path)
    settings = replace(SETTINGS, provider="embedded", model_file=own, num_ctx=1024)
    planner = await models.open(settings)
    agents = await models.open(replace(settings, prefix="LLM", num_ctx=2048))
    [engine] = models._engines  # pyright: ignore[reportPrivateUsage] - sharing has no other sign before a load
    assert engine.options.n_ctx == 2048
    await planner.aclose()
    assert not engine.closed
    await agents.aclose()
    assert engine.closed
    again = await models.open(settings)
    await again.aclose()


@pytest.mark.parametrize("url", ["", "localhost:11434", "ftp://x", "http://", "http://x:y"])
async def test_a_base_url_that_is_none_names_the_variable(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsRejected, match="PLANNER_LLM__BASE_URL"):
        await opener(tmp_path).open(replace(SETTINGS, base_url=url))


@pytest.mark.requirement("LLM-37")
async def test_openai_without_an_address_names_the_line_to_write(tmp_path: Path) -> None:
    settings = replace(SETTINGS, provider="openai", base_url=None)
    with pytest.raises(SettingsRejected, match="PLANNER_LLM__BASE_URL is not set") as refused:
        await opener(tmp_path).open(settings)
    assert "PLANNER_LLM__BASE_URL=http://127.0.0.1:8080/v1 for llama.cpp" in refused.value.remedy
    with pytest.raises(SettingsRejected, match=r"models\.big\.base_url is not set") as in_file:
        await opener(tmp_path).open(replace(settings, prefix="models.big"))
    assert "models.big.base_url: http" in in_file.value.remedy


@pytest.mark.requirement("LLM-33")
@pytest.mark.parametrize("url", ["http://me:secret@x/v1", "http://x/v1?key=secret"])
async def test_an_address_that_holds_a_key_is_refused_without_repeating_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsRejected, match="holds more than an address") as refused:
        await opener(tmp_path).open(replace(SETTINGS, base_url=url, provider="openai"))
    assert "secret" not in str(refused.value)
    assert "PLANNER_LLM__API_KEY" in refused.value.remedy


async def test_an_openai_server_is_chosen_when_set_and_never_replaced(tmp_path: Path, own: Path) -> None:
    async with MisbehavingServer(model="llama3.2:1b").serve() as server:
        settings = replace(SETTINGS, provider="openai", base_url=server.url, model_file=own)
        chosen = await opener(tmp_path).open(settings)
        await chosen.aclose()
    assert chosen.identity.provider == "openai"
    assert chosen.identity.chosen_because == "set by PLANNER_LLM__PROVIDER"
    with pytest.raises(ModelUnavailable, match="No answer from"):
        await opener(tmp_path).open(replace(settings, base_url=NOWHERE))


def test_the_settings_of_a_model_do_not_show_its_key() -> None:
    assert "secret" not in repr(replace(SETTINGS, api_key="secret"))
