"""The trained matrices as llama.cpp's and Ollama's adapter file. Source: llama.cpp, convert_lora_to_gguf."""

from __future__ import annotations

import json
from pathlib import Path

from planwarden.llm.embedded.adapter import BASE_KEY
from planwarden.planning.prompt import PROMPT_VERSION
from planwarden.tuning.libraries import library
from planwarden.tuning.llama import AdaptedLlama


def write_adapter(model: AdaptedLlama, path: Path, *, base: str, name: str) -> None:
    """Write the adapter, in half precision; blocks.

    Args:
        model: what was trained.
        path: of the .gguf file.
        base: digest of the weights it sits on; the embedded engine takes it for no others.
        name: for whoever looks into the file.
    """
    writer = library("gguf").GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(model.lora.alpha))
    writer.add_string("general.name", name)
    writer.add_string(BASE_KEY, base)
    writer.add_string("planwarden.prompt.version", PROMPT_VERSION)
    for key in model.a:
        writer.add_tensor(f"{key}.lora_a", model.a[key].detach().cpu().half().numpy())
        writer.add_tensor(f"{key}.lora_b", model.b[key].detach().cpu().half().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def modelfile(weights: Path, adapter: Path) -> str:
    """Give a Modelfile with which Ollama makes a model of these weights with the adapter on. Pure."""
    return (
        f"FROM {json.dumps(str(weights.absolute()))}\n"
        f"ADAPTER {json.dumps(str(adapter.absolute()))}\n"
        "PARAMETER temperature 0\n"
    )
