"""How much memory a model takes: arithmetic, Ollama's words, a GGUF file's head."""

import json
import struct
from pathlib import Path

import pytest

from planwarden.llm.embedded.gguf import read_facts
from planwarden.llm.footprint import CacheShape, ModelFootprint, cache_shape, estimated_bytes
from planwarden.llm.ollama.facts import footprint, longest_context
from planwarden.llm.ollama.stream import ChatStream
from planwarden.llm.service import LLMRequest

pytestmark = pytest.mark.requirement("DR-2")

LLAMA_8B = {
    "general.architecture": "llama",
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
    "llama.block_count": 32,
    "llama.embedding_length": 4096,
}
MIB = 2**20


def test_the_cache_of_a_model_is_counted_from_layers_heads_and_their_width() -> None:
    assert cache_shape(LLAMA_8B) == CacheShape(numbers_per_token=32 * 8 * 2 * 128)


def test_a_width_of_its_own_for_keys_and_values_is_heard() -> None:
    own = {**LLAMA_8B, "llama.attention.key_length": 64, "llama.attention.value_length": 32}
    assert cache_shape(own) == CacheShape(numbers_per_token=32 * 8 * 96)


def test_layers_with_different_heads_are_added_up() -> None:
    mixed = {**LLAMA_8B, "llama.block_count": 3, "llama.attention.head_count_kv": [8, 0, 4]}
    assert cache_shape(mixed) == CacheShape(numbers_per_token=12 * 2 * 128)


def test_a_model_without_grouped_heads_caches_all_of_them() -> None:
    plain = {key: value for key, value in LLAMA_8B.items() if not key.endswith("_kv")}
    assert cache_shape(plain) == CacheShape(numbers_per_token=32 * 32 * 2 * 128)


@pytest.mark.parametrize("missing", ["general.architecture", "llama.block_count", "llama.embedding_length"])
def test_a_shape_that_is_not_told_is_unknown(missing: str) -> None:
    known: dict[str, object] = {key: value for key, value in LLAMA_8B.items() if key != missing}
    assert cache_shape(known) is None


def test_an_estimate_is_near_what_a_real_server_said() -> None:
    """Ollama 0.32.15 said 209,505,483 bytes of SmolLM2-135M at 4096 tokens."""
    shape = cache_shape(
        {
            "general.architecture": "llama",
            "llama.attention.head_count": 9,
            "llama.attention.head_count_kv": 3,
            "llama.block_count": 30,
            "llama.embedding_length": 576,
        }
    )
    guessed = estimated_bytes(ModelFootprint(weights_bytes=98_362_760, cache=shape), 4096)
    assert guessed is not None
    assert 1.0 <= guessed / 209_505_483 < 1.15


def test_a_longer_context_takes_more_and_an_unknown_size_is_not_guessed() -> None:
    known = ModelFootprint(weights_bytes=5_000 * MIB, cache=cache_shape(LLAMA_8B))
    short, long = estimated_bytes(known, 2048), estimated_bytes(known, 8192)
    assert short is not None
    assert long is not None
    assert long - short == pytest.approx(6144 * 65536 * 2 * 1.03, rel=1e-6)
    assert estimated_bytes(ModelFootprint(), 4096) is None
    assert estimated_bytes(ModelFootprint(weights_bytes=1), 4096) is None


def test_ollamas_three_answers_are_joined_by_the_models_full_name() -> None:
    entry = {"name": "m:latest", "size": 10, "details": {"quantization_level": "Q4_K_M"}}
    running = {"name": "m:latest", "size": 30, "size_vram": 20, "context_length": 512}
    shown = {"model_info": {**LLAMA_8B, "llama.context_length": 131072}}
    found = footprint("m", tags={"models": [entry]}, shown=shown, loaded={"models": [running]})
    assert (found.weights_bytes, found.loaded_bytes, found.loaded_gpu_bytes) == (10, 30, 20)
    assert (found.loaded_context_tokens, found.quantisation) == (512, "Q4_K_M")
    assert longest_context(shown) == 131072


@pytest.mark.parametrize(
    "odd", [{}, {"models": None}, {"models": [7]}, {"models": [{"name": "m", "size": -1}]}]
)
def test_what_ollama_does_not_say_stays_unknown(odd: dict[str, object]) -> None:
    assert footprint("m", tags=odd, shown={"model_info": 3}, loaded=odd) == ModelFootprint()


def gguf(*facts: tuple[str, int, bytes]) -> bytes:
    def text(said: str) -> bytes:
        return struct.pack("<Q", len(said)) + said.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(facts))
    return head + b"".join(text(key) + struct.pack("<I", kind) + value for key, kind, value in facts)


def test_the_head_of_a_model_file_is_read_up_to_its_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    several = struct.pack("<IQ", 4, 2) + struct.pack("<II", 8, 4)
    path.write_bytes(
        gguf(
            ("general.architecture", 8, struct.pack("<Q", 5) + b"llama"),
            ("llama.block_count", 4, struct.pack("<I", 30)),
            ("llama.heads", 9, several),
            ("llama.eps", 6, struct.pack("<f", 0.5)),
            ("tokenizer.ggml.tokens", 99, b""),
        )
    )
    assert read_facts(path) == {
        "general.architecture": "llama",
        "llama.block_count": 30,
        "llama.heads": [8, 4],
        "llama.eps": 0.5,
    }


@pytest.mark.parametrize(
    "content",
    [
        b"", b"GGML", gguf(("a", 4, b"")), gguf(("a", 77, b"")), gguf(("a", 8, struct.pack("<Q", 2**60))),
        gguf(("a", 9, struct.pack("<IQ", 9, 1))), b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_without_reading_on(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_facts(path)


@pytest.mark.parametrize(
    ("said", "timing"),
    [
        (
            {"load_duration": 2 * 10**9, "prompt_eval_duration": 5 * 10**8, "eval_duration": 10**8},
            (2.0, 0.5, 0.1),
        ),
        ({"load_duration": 2 * 10**9}, None),
        ({}, None),
    ],
)
def test_ollamas_durations_become_seconds(
    said: dict[str, int], timing: tuple[float, float, float] | None
) -> None:
    stream = ChatStream(request=LLMRequest(messages=()), model="m", num_ctx=512)
    end = {"message": {"content": "a"}, "done": True, "done_reason": "stop", "prompt_eval_count": 3, **said}
    stream.take(json.dumps(end).encode())
    found = stream.reply(latency_s=1.0).timing
    assert (found and (found.load_s, found.prompt_s, found.output_s)) == timing
