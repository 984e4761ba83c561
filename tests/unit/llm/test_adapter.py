"""LoRA adapters on the embedded weights: which is taken, which is refused, to whose requests it applies."""

from __future__ import annotations

import struct
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest
from test_embedded_adapter import DIGEST, REQUEST, USAGE, StandIn, StillClock, end, text
from test_selection import opener

from planwarden.contracts.model import Message
from planwarden.errors import ModelFileRejected
from planwarden.llm.embedded import adapter, model_file
from planwarden.llm.embedded.engine import EmbeddedEngine, EngineOptions
from planwarden.llm.embedded.service import EmbeddedLLM
from planwarden.llm.selection import LLMSettings

BASE = "sha256:" + "1" * 64
SETTINGS = LLMSettings(model="", provider="embedded", prefix="PLANNER_LLM")


def gguf_file(path: Path, **facts: str) -> Path:
    def told(word: str) -> bytes:
        return struct.pack("<Q", len(word)) + word.encode()

    body = b"".join(
        told(key.replace("__", ".")) + struct.pack("<I", 8) + told(value) for key, value in facts.items()
    )
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(facts)) + body)
    return path


def lora(path: Path, base: str = BASE) -> Path:
    return gguf_file(path, general__type="adapter", adapter__type="lora", planwarden__base__digest=base)


@pytest.mark.requirement("TUNE-3")
def test_the_adapter_that_ships_has_the_pinned_bytes_and_names_the_pinned_weights() -> None:
    shipped = adapter.shipped(model_file.SMOLLM2.digest)
    assert shipped is not None
    assert "sha256:" + sha256(shipped.path.read_bytes()).hexdigest() == adapter.PLANNER.digest
    assert adapter.own(shipped.path, model_file.SMOLLM2.digest).digest == shipped.digest
    assert shipped.path.stat().st_size < 15_000_000
    assert (files("planwarden.llm.embedded") / "adapters" / "README.md").is_file()


@pytest.mark.requirement("TUNE-3")
def test_other_weights_get_no_shipped_adapter_and_other_bytes_are_refused() -> None:
    assert adapter.shipped(BASE) is None
    changed = replace(adapter.PLANNER, sha256="0" * 64)
    with pytest.raises(ModelFileRejected, match="is not the adapter that ships"):
        adapter.shipped(model_file.SMOLLM2.digest, changed)


@pytest.mark.requirement("TUNE-3")
def test_an_own_adapter_for_other_weights_or_none_at_all_is_refused(tmp_path: Path) -> None:
    assert adapter.own(lora(tmp_path / "mine.gguf"), BASE).label == "mine"
    with pytest.raises(ModelFileRejected, match="was trained on other weights"):
        adapter.own(lora(tmp_path / "other.gguf", DIGEST), BASE)
    with pytest.raises(ModelFileRejected, match="no LoRA adapter"):
        adapter.own(gguf_file(tmp_path / "model.gguf", general__type="model"), BASE)
    with pytest.raises(ModelFileRejected, match="cannot be read") as refused:
        adapter.own(tmp_path / "missing.gguf", BASE)
    assert "PLANNER_LLM__ADAPTER=none" in refused.value.remedy


@pytest.mark.requirement("TUNE-3")
def test_auto_takes_an_installed_adapter_for_these_weights_else_what_ships(tmp_path: Path) -> None:
    assert adapter.automatic(tmp_path, BASE) is None
    installed = lora(tmp_path / adapter.INSTALLED)
    found = adapter.automatic(tmp_path, BASE)
    assert found is not None
    assert found.path == installed
    assert adapter.automatic(tmp_path, model_file.SMOLLM2.digest) == adapter.shipped(
        model_file.SMOLLM2.digest
    )


def service_on(engine: EmbeddedEngine, named: str | None = None) -> EmbeddedLLM:
    return EmbeddedLLM(engine, clock=StillClock(), digest=DIGEST, adapter=named)


@pytest.mark.anyio
@pytest.mark.requirement("TUNE-4")
async def test_only_the_service_that_names_the_adapter_has_it_applied() -> None:
    server = StandIn(text("x"), end("stop"), USAGE)
    options = EngineOptions(path=Path("/w.gguf"), adapter=Path("/a.gguf"), listener_key="k" * 32)
    engine = EmbeddedEngine(options, check=str, load=lambda _: server)
    planner, agents = service_on(engine, BASE), service_on(engine)
    await planner.complete(REQUEST)
    await agents.complete(REQUEST)
    await planner.aclose()
    await agents.aclose()
    assert [body.get("lora") for body in server.bodies] == [[{"id": 0, "scale": 1.0}], None]


@pytest.mark.anyio
@pytest.mark.requirement("TUNE-8")
async def test_a_prompts_work_is_kept_where_asked_for_and_never_across_a_change_of_the_adapter() -> None:
    server = StandIn(text("x"), end("stop"), USAGE)
    options = EngineOptions(path=Path("/w.gguf"), adapter=Path("/a.gguf"), listener_key="k" * 32)
    engine = EmbeddedEngine(options, check=str, load=lambda _: server)
    planner, agents = service_on(engine, BASE), service_on(engine)
    kept = replace(REQUEST, reuse_prompt=True)
    other = replace(kept, messages=(*REQUEST.messages[:-1], Message(role="user", content="Another?")))
    for service, request in ((planner, kept), (planner, other), (agents, kept), (agents, REQUEST)):
        await service.complete(request)
    await planner.complete(kept)
    await planner.aclose()
    await agents.aclose()
    assert [body["cache_prompt"] for body in server.bodies] == [False, True, False, False, False]


@pytest.mark.anyio
@pytest.mark.requirement("TUNE-5")
async def test_weights_with_an_adapter_are_another_model_than_the_weights_alone(tmp_path: Path) -> None:
    weights = gguf_file(tmp_path / "base.gguf", general__type="model")
    base = model_file.digest_of(weights)
    mine = lora(tmp_path / "mine.gguf", base)
    where = opener(tmp_path)
    plain = await where.open(replace(SETTINGS, model_file=weights))
    tuned = await where.open(replace(SETTINGS, model_file=weights, adapter=mine))
    automatic = await where.open(replace(SETTINGS, model_file=weights, adapter="auto"))
    for service in (plain, tuned, automatic):
        await service.aclose()
    assert (plain.identity.model, plain.identity.digest, plain.identity.adapter) == ("base", base, None)
    assert tuned.identity.model == "base+mine"
    assert tuned.identity.adapter == model_file.digest_of(mine)
    assert tuned.identity.digest not in (base, tuned.identity.adapter)
    assert automatic.identity == plain.identity


@pytest.mark.anyio
@pytest.mark.requirement("TUNE-4")
async def test_an_adapter_joins_weights_that_are_not_loaded_yet_and_no_others() -> None:
    loads: list[EngineOptions] = []

    def load(options: EngineOptions) -> StandIn:
        loads.append(options)
        return StandIn(text("x"), end("stop"), USAGE)

    engine = EmbeddedEngine(EngineOptions(path=Path("/w.gguf"), listener_key="k" * 32), check=str, load=load)
    service = service_on(engine)
    assert engine.offer_adapter(Path("/a.gguf"))
    assert not engine.offer_adapter(Path("/b.gguf"))
    await engine.load()
    await service.aclose()
    assert [each.adapter for each in loads] == [Path("/a.gguf")]
    bare = EmbeddedEngine(EngineOptions(path=Path("/w.gguf"), listener_key="k" * 32), check=str, load=load)
    service = service_on(bare)
    await bare.load()
    assert not bare.offer_adapter(Path("/a.gguf"))
    await service.aclose()
