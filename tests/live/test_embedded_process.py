"""The embedded model in a process of its own: nothing on the terminal, a clean end however it ends."""

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import platformdirs
import pytest

from planwarden.contracts.model import Message
from planwarden.errors import ModelFileRejected
from planwarden.llm.embedded import model_file
from planwarden.llm.embedded.engine import EmbeddedEngine, EngineOptions, load_llama
from planwarden.llm.embedded.service import EmbeddedLLM
from planwarden.llm.service import LLMRequest

pytestmark = [pytest.mark.anyio, pytest.mark.live]

PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from planwarden.contracts.model import Message
from planwarden.llm.embedded.service import EmbeddedLLM
from planwarden.llm.embedded.engine import EmbeddedEngine, EngineOptions
from planwarden.llm.service import LLMRequest

class Clock:
    def monotonic(self): return 0.0

options = EngineOptions(path=Path(sys.argv[1]), n_ctx=512, listener_key="k" * 32)
llm = EmbeddedLLM(EmbeddedEngine(options, check=str), clock=Clock(), digest="sha256:" + "0" * 64)
ask = LLMRequest(messages=(Message(role="user", content="Tell a story."),), max_output_tokens=400)

async def main():
    await llm.health()
    if sys.argv[2] == "in_flight":
        asking = asyncio.ensure_future(llm.complete(ask))
        await asyncio.wait({asking}, timeout=0.3)
    if sys.argv[2] == "closed":
        await llm.aclose()
    print("end")

asyncio.run(main())
"""


def weights() -> Path:
    found = model_file.find(platformdirs.user_cache_path("planwarden") / "models")
    assert found, "run `planwarden models fetch`"
    return found


@pytest.mark.requirement("LLM-5")
@pytest.mark.parametrize("how", ["closed", "left_open", "in_flight"])
def test_a_process_ends_cleanly_and_llama_cpp_writes_nothing(how: str) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(weights()), how]
    ended = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"end\n", b"")


@pytest.mark.requirement("LLM-5")
async def test_the_listener_that_llama_cpp_opens_answers_nobody_without_the_key() -> None:
    key = "s" * 32
    server = load_llama(EngineOptions(path=weights(), n_ctx=256, listener_key=key))
    address: str = vars(type(server))["listening_address"].__get__(server)
    chat = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=60) as http:
        answers = [await http.post("/v1/chat/completions", json=chat), await http.get("/slots")]
        with_key = await http.post(
            "/v1/chat/completions", json=chat, headers={"Authorization": f"Bearer {key}"}
        )
    assert address.startswith("http://127.0.0.1:")
    assert [answer.status_code for answer in answers] == [401, 401]
    assert with_key.status_code == 200


@pytest.mark.requirement("LLM-9")
async def test_a_file_that_is_no_model_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "not.gguf"
    path.write_bytes(b"GGUF but not really")
    engine = EmbeddedEngine(EngineOptions(path=path, listener_key="k" * 32), check=model_file.digest_of)
    with pytest.raises(ModelFileRejected, match="cannot load") as refused:
        await engine.load()
    engine.close()
    assert "planwarden models fetch" in refused.value.remedy


@pytest.mark.requirement("LLM-4")
async def test_the_event_loop_runs_on_while_the_model_answers() -> None:
    class SystemClock:
        def now(self) -> datetime:
            return datetime.now(UTC)

        def monotonic(self) -> float:
            return time.monotonic()

    engine = EmbeddedEngine(EngineOptions(path=weights(), n_ctx=512, listener_key="k" * 32), check=str)
    llm = EmbeddedLLM(engine, clock=SystemClock(), digest=model_file.SMOLLM2.digest)
    asked = LLMRequest(messages=(Message(role="user", content="Count to ten."),), max_output_tokens=64)
    asking = asyncio.ensure_future(llm.complete(asked))
    turns = 0
    while not asking.done():
        await asyncio.wait({asking}, timeout=0.001)
        turns += 1
    await asyncio.gather(asking, return_exceptions=True)
    await llm.aclose()
    assert turns > 10
