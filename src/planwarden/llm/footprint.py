"""How much memory a model takes: what a server or a file says of it, and what follows from that. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

CACHE_BYTES = 2
"""Of one number in the key-value cache: half precision, the default of llama.cpp and Ollama."""
SCRATCH_BYTES = 32 * 2**20
SCRATCH_SHARE = 0.03
"""Working buffers: measured 16 MiB beside 184 MiB of weights and cache (Ollama 0.32, SmolLM2-135M)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheShape:
    """What the key-value cache holds for each token."""

    numbers_per_token: int
    """Keys and values of all layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFootprint:
    """What is known of a model's size; None where nobody says."""

    weights_bytes: int | None = None
    """On disk, which is also what they take in memory."""
    cache: CacheShape | None = None
    loaded_bytes: int | None = None
    """In memory now, all together; None when it is not loaded, or the server does not say."""
    loaded_gpu_bytes: int | None = None
    """The part of `loaded_bytes` in a graphics card's memory."""
    loaded_context_tokens: int | None = None
    """What the load has room for."""
    quantisation: str = ""


def cache_shape(info: Mapping[str, object]) -> CacheShape | None:
    """Read the cache's shape off a GGUF file's own facts, as the file or Ollama's `/api/show` names them."""
    architecture = info.get("general.architecture")

    def number(key: str) -> int | None:
        value = info.get(f"{architecture}.{key}")
        return value if isinstance(value, int) and value > 0 else None

    heads, width = number("attention.head_count"), number("embedding_length")
    head = width // heads if heads and width else None
    keys, values = number("attention.key_length") or head, number("attention.value_length") or head
    layers = number("block_count")
    cached = _cached_heads(info.get(f"{architecture}.attention.head_count_kv"), layers) or (
        heads * layers if heads and layers else None
    )
    if not cached or not keys or not values:
        return None
    return CacheShape(numbers_per_token=cached * (keys + values))


def _cached_heads(each: object, layers: int | None) -> int | None:
    """Add up the key-value heads of all layers: one number for all, or a list with one for each."""
    if isinstance(each, int):
        return each * layers if layers else None
    if isinstance(each, Sequence) and not isinstance(each, str):
        return sum(head for head in cast("Sequence[object]", each) if isinstance(head, int))
    return None


def estimated_bytes(footprint: ModelFootprint, context_tokens: int) -> int | None:
    """Estimate the memory of a loaded model: weights, key-value cache, working buffers; None when unknown.

    An upper estimate for models whose layers look back only so far (sliding windows).
    """
    if footprint.weights_bytes is None or footprint.cache is None:
        return None
    cache = footprint.cache.numbers_per_token * CACHE_BYTES * context_tokens
    held = footprint.weights_bytes + cache
    return held + SCRATCH_BYTES + int(SCRATCH_SHARE * held)
