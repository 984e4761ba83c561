"""What Ollama says of a model's size, out of its answers to `/api/tags`, `/api/show` and `/api/ps`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

from planwarden.llm.footprint import ModelFootprint, cache_shape

Object = Mapping[str, object]

_ADAPTER = re.compile(r"^ADAPTER .*sha256-([0-9a-f]{64})\"?\s*$", re.MULTILINE)
"""A line of the Modelfile that the server writes: the file's name is its digest."""


def full_name(model: str) -> str:
    """Give the name under which the server lists the model."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def listed_model(answer: Object, model: str) -> Object | None:
    """Find the model in an answer of `/api/tags` or `/api/ps`."""
    listed = answer.get("models")
    models = cast("Sequence[object]", listed if isinstance(listed, list) else ())
    known = [cast("Object", each) for each in models if isinstance(each, dict)]
    return next((each for each in known if each.get("name") == full_name(model)), None)


def model_info(shown: Object) -> Object:
    """Give the facts of the model's file from an answer of `/api/show`."""
    info = shown.get("model_info")
    return cast("Object", info if isinstance(info, dict) else {})


def longest_context(shown: Object) -> int | None:
    """Give the context length that the model was made for, in tokens."""
    lengths = [length for key, length in model_info(shown).items() if key.endswith(".context_length")]
    return next((length for length in lengths if isinstance(length, int)), None)


def adapter_digest(shown: Object) -> str | None:
    """Give the digest of the model's LoRA adapter from an answer of `/api/show`; None where none is on."""
    modelfile = shown.get("modelfile")
    found = _ADAPTER.search(modelfile) if isinstance(modelfile, str) else None
    return f"sha256:{found[1]}" if found else None


def footprint(model: str, *, tags: Object, shown: Object, loaded: Object) -> ModelFootprint:
    """Join what the three answers say."""
    entry, running = listed_model(tags, model) or {}, listed_model(loaded, model) or {}
    details = entry.get("details")
    level = cast("Object", details if isinstance(details, dict) else {}).get("quantization_level")
    return ModelFootprint(
        weights_bytes=_whole(entry.get("size")),
        cache=cache_shape(model_info(shown)),
        loaded_bytes=_whole(running.get("size")),
        loaded_gpu_bytes=_whole(running.get("size_vram")),
        loaded_context_tokens=_whole(running.get("context_length")),
        quantisation=level if isinstance(level, str) else "",
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
