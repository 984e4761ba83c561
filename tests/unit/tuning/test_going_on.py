"""A model that training begins with computes what the adapter it was given computes. Runs where torch is."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planwarden.tuning.adapter_file import read_matrices, write_adapter
from planwarden.tuning.llama import LINEAR, AdaptedLlama, Lora, Matrices
from planwarden.tuning.weights import OpenWeights

pytestmark = pytest.mark.requirement("TUNE-13")

WORDS, WIDTH, INNER, HEADS, LAYERS = 12, 16, 24, 2, 2
SIZE = Lora(rank=4, alpha=8.0)


@pytest.fixture
def torch() -> Any:
    pytest.importorskip("torch", reason="torch is not here: pip install '.[tune]'")
    return importlib.import_module("torch")


@pytest.fixture
def weights(tmp_path: Path) -> OpenWeights:
    """Give a model of two small layers, as a file of the very format that is tuned."""
    path = tmp_path / "small.gguf"
    writer: Any = importlib.import_module("gguf").GGUFWriter(path, "llama")
    writer.add_string("tokenizer.chat_template", "<|im_start|>")
    writer.add_string("tokenizer.ggml.pre", "smollm")
    writer.add_uint32("llama.attention.head_count", HEADS)
    writer.add_uint32("llama.block_count", LAYERS)
    writer.add_uint32("llama.embedding_length", WIDTH)
    writer.add_float32("llama.attention.layer_norm_rms_epsilon", 1e-5)
    random = np.random.default_rng(1)
    shapes = {"token_embd.weight": (WORDS, WIDTH), "output_norm.weight": (WIDTH,)}
    inner = {"ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER)}
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}.weight": inner.get(name, (WIDTH, WIDTH)) for name in LINEAR}
        shapes |= {f"blk.{layer}.{name}_norm.weight": (WIDTH,) for name in ("attn", "ffn")}
    for name, shape in shapes.items():
        drawn = random.standard_normal(shape) / math.sqrt(shape[-1])
        writer.add_tensor(name, (drawn if len(shape) > 1 else np.ones(shape)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return OpenWeights(path)


def logits(torch: Any, model: AdaptedLlama) -> Any:
    with torch.no_grad():
        return model.logits(torch.tensor([[3, 1, 4, 1, 5, 9]]), torch.tensor([0, 0]), torch.tensor([2, 5]))


def taught(torch: Any, weights: OpenWeights) -> AdaptedLlama:
    """Give a model whose matrices change something, in numbers that an adapter file keeps exactly."""
    model = AdaptedLlama(weights, SIZE, device="cpu", seed=3)
    draw = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for key, b in model.b.items():
            b.copy_(torch.randn(b.shape, generator=draw).half())
            model.a[key].copy_(model.a[key].half())
    return model


def test_a_model_begun_with_an_adapter_file_computes_what_the_adapter_did(
    torch: Any,
    weights: OpenWeights,
    tmp_path: Path,
) -> None:
    before = taught(torch, weights)
    write_adapter(before, tmp_path / "a.gguf", base="sha256:" + "0" * 64, name="a")
    start = read_matrices(tmp_path / "a.gguf", SIZE)
    assert isinstance(start, Matrices)
    again = AdaptedLlama(weights, SIZE, device="cpu", seed=99, start=start)
    bare = AdaptedLlama(weights, SIZE, device="cpu", seed=99)
    assert torch.equal(logits(torch, again), logits(torch, before))
    assert not torch.allclose(logits(torch, bare), logits(torch, before), atol=0.05)
    assert len(again.parameters) == 2 * LAYERS * len(LINEAR)
    assert all(each.requires_grad and each.dtype == torch.float32 for each in again.parameters)


def test_a_model_begun_with_none_computes_what_the_bare_weights_do(
    torch: Any,
    weights: OpenWeights,
) -> None:
    first, second = (AdaptedLlama(weights, SIZE, device="cpu", seed=seed) for seed in (1, 2))
    key = "blk.0.attn_q.weight"
    assert not torch.equal(first.a[key], second.a[key])
    assert torch.equal(logits(torch, first), logits(torch, second))
