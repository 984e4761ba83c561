"""Do the models fit in memory together, and what does it cost when they do not?"""

from dataclasses import replace
from pathlib import Path

import pytest

from planwarden.app.diagnosis.memory import HeldModel, memory_finding
from planwarden.app.machine import MachineMemory, machine_memory
from planwarden.contracts.model import ModelIdentity
from planwarden.llm.examination import ExaminationOptions, take_turns
from planwarden.llm.footprint import CacheShape, ModelFootprint
from planwarden.llm.service import LLMReply, LLMRequest, ModelHealth, ReplyTiming
from planwarden.testing.obedient_llm import ObedientLLM

pytestmark = pytest.mark.requirement("DR-2")

GIB = 2**30


def held(name: str, gib: float, *, loaded: bool = False, gpu: int = 0, here: bool = True) -> HeldModel:
    shape = CacheShape(numbers_per_token=1)
    size = ModelFootprint(weights_bytes=int(gib * GIB), cache=shape, quantisation="Q4_K_M")
    if loaded:
        size = replace(size, loaded_bytes=int(gib * GIB), loaded_gpu_bytes=gpu, loaded_context_tokens=4096)
    return HeldModel(model=name, footprint=size, context_tokens=4096, here=here)


def machine(total: float, available: float) -> MachineMemory:
    return MachineMemory(total=int(total * GIB), available=int(available * GIB))


def test_two_models_that_fit_are_said_to_with_what_each_takes() -> None:
    found = memory_finding([held("llama3.2:1b", 1.3), held("llama3.1:8b", 4.7)], machine(16, 12))
    assert found.status == "ok"
    assert "llama3.2:1b about 1.4 GiB at 4096 tokens, llama3.1:8b about 4.9 GiB" in found.detail
    assert "together 6.2 GiB of 12.0 GiB" in found.detail


def test_two_models_that_only_fit_one_at_a_time_are_named_with_what_to_do() -> None:
    found = memory_finding([held("llama3.2:1b", 1.3), held("llama3.1:8b", 4.7)], machine(8, 5.5))
    assert found.status == "warning"
    assert "push each other out" in found.detail
    assert "llama3.1:8b (Q4_K_M)" in found.remedy


def test_what_a_model_holds_already_is_room_that_it_has() -> None:
    models = [held("llama3.2:1b", 1.3, loaded=True), held("llama3.1:8b", 4.7, loaded=True)]
    assert memory_finding(models, machine(8, 1)).status == "ok"


def test_a_model_larger_than_the_machine_is_bad() -> None:
    found = memory_finding([held("llama3.1:70b", 40)], machine(16, 12))
    assert found.status == "bad"
    assert "alone is larger" in found.detail


def test_nothing_is_guessed_of_other_machines_graphics_cards_or_unknown_sizes() -> None:
    assert memory_finding([held("m", 99, here=False)], machine(1, 1)).status == "skipped"
    assert memory_finding([held("m", 99, loaded=True, gpu=GIB)], machine(1, 1)).status == "ok"
    assert memory_finding([held("m", 99)], None).status == "skipped"
    unknown = HeldModel(model="m", footprint=None, context_tokens=4096, here=True)
    assert memory_finding([unknown], machine(1, 1)).status == "skipped"


def test_the_machines_memory_is_read_and_a_containers_limit_is_heard(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       8000 kB\nMemFree: 10 kB\nMemAvailable:   6000 kB\n")
    assert machine_memory(meminfo, tmp_path) == MachineMemory(total=8_192_000, available=6_144_000)
    (tmp_path / "memory.max").write_text("4000000\n")
    (tmp_path / "memory.current").write_text("3500000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 1000000\n")
    assert machine_memory(meminfo, tmp_path) == MachineMemory(total=4_000_000, available=1_500_000)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_memory(meminfo, tmp_path) == MachineMemory(total=8_192_000, available=6_144_000)
    meminfo.write_text("nothing of the kind")
    assert machine_memory(meminfo, tmp_path) is None


class SharedServer:
    """Keeps so many models loaded, and says how long each load took."""

    def __init__(self, room: int, load_s: float = 2.5) -> None:
        self.room, self.load_s = room, load_s
        self.loaded: list[str] = []

    def load(self, model: str) -> float:
        took = 0.0 if model in self.loaded else self.load_s
        self.loaded = [*(each for each in self.loaded if each != model), model][-self.room :]
        return took


class ServedLLM:
    """One model of such a server."""

    def __init__(self, server: SharedServer, model: str, *, num_ctx: int = 1024) -> None:
        self.server = server
        self.load = f"{model}/{num_ctx}"
        self._inner = ObedientLLM(model=model)

    @property
    def identity(self) -> ModelIdentity:
        known = self._inner.identity
        return known.model_copy(update={"digest": f"sha256:{known.model * 64}"})

    async def complete(self, request: LLMRequest) -> LLMReply:
        timing = ReplyTiming(load_s=self.server.load(self.load))
        return replace(await self._inner.complete(request), timing=timing)

    async def health(self) -> ModelHealth:
        held = GIB if self.load in self.server.loaded else None
        return replace(await self._inner.health(), footprint=ModelFootprint(loaded_bytes=held))

    async def aclose(self) -> None:
        await self._inner.aclose()


def wanted(prefix: str, num_ctx: int = 1024) -> ExaminationOptions:
    return ExaminationOptions(prefix=prefix, num_ctx=num_ctx, max_output_tokens=64, timeout_s=60)


@pytest.mark.anyio
async def test_models_that_push_each_other_out_are_named_with_the_cost_of_each_change() -> None:
    server = SharedServer(room=1)
    found = await take_turns(
        ServedLLM(server, "a"), ServedLLM(server, "b"), wanted("PLANNER_LLM"), wanted("LLM")
    )
    assert found.status == "warning"
    assert "a and b push each other out of memory: loading costs 2.5 s" in found.detail
    for part in (
        "OLLAMA_MAX_LOADED_MODELS=2 ollama serve", "export PLANNER_LLM__KEEP_ALIVE=30m", "quantisation",
        "export PLANNER_LLM__MODEL=b",
    ):  # fmt: skip
        assert part in found.remedy
    assert found.figures == {"planner_load_s": 2.5, "agents_load_s": 2.5}


@pytest.mark.anyio
async def test_models_that_stay_loaded_are_no_trouble() -> None:
    server = SharedServer(room=2)
    found = await take_turns(
        ServedLLM(server, "a"), ServedLLM(server, "b"), wanted("PLANNER_LLM"), wanted("LLM")
    )
    assert found.status == "ok", found


@pytest.mark.anyio
async def test_one_model_with_two_context_lengths_is_told_to_have_one() -> None:
    server = SharedServer(room=1)
    planner, agents = ServedLLM(server, "a", num_ctx=2048), ServedLLM(server, "a", num_ctx=4096)
    found = await take_turns(planner, agents, wanted("PLANNER_LLM", 2048), wanted("LLM", 4096))
    assert found.remedy == "export PLANNER_LLM__NUM_CTX=4096; export LLM__NUM_CTX=4096"


@pytest.mark.anyio
async def test_a_server_that_does_not_tell_its_loading_is_not_judged() -> None:
    found = await take_turns(ObedientLLM(), ObedientLLM(), wanted("PLANNER_LLM"), wanted("LLM"))
    assert found.status == "skipped"
