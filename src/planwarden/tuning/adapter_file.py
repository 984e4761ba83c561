"""The trained matrices as llama.cpp's and Ollama's adapter file. Source: llama.cpp, convert_lora_to_gguf."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planwarden.llm.embedded.adapter import BASE_KEY
from planwarden.planning.prompt import PROMPT_VERSION
from planwarden.tuning.libraries import library
from planwarden.tuning.llama import LINEAR, AdaptedLlama, Lora, Matrices


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


def read_matrices(path: Path, lora: Lora) -> Matrices | None:
    """Read an adapter's matrices; None where they are not of this size. Blocks.

    Raises:
        SettingsRejected: the library that reads such files is missing.
    """
    reader = library("gguf").GGUFReader(path)
    alpha = reader.get_field("adapter.lora.alpha")
    named = {str(tensor.name): tensor.data for tensor in reader.tensors}
    return matrices_of(named, lora) if alpha is not None and alpha.contents() == lora.alpha else None


def matrices_of(named: Mapping[str, Any], lora: Lora) -> Matrices | None:
    """Sort an adapter's tensors; None where they are not pairs of this rank for every linear layer. Pure.

    Args:
        named: `NAME.lora_a` of (rank, inputs) and `NAME.lora_b` of (outputs, rank).
        lora: the size that is wanted.
    """
    a = {name.removesuffix(".lora_a"): each for name, each in named.items() if name.endswith(".lora_a")}
    b = {name.removesuffix(".lora_b"): each for name, each in named.items() if name.endswith(".lora_b")}
    layers = {key.split(".")[1] for key in a if key.startswith("blk.")}
    whole = {f"blk.{layer}.{name}.weight" for layer in layers for name in LINEAR}
    fits = all(each.shape[0] == lora.rank for each in a.values()) and all(
        each.shape[1] == lora.rank for each in b.values()
    )
    return Matrices(a=a, b=b) if a and fits and a.keys() == b.keys() == whole else None


def modelfile(weights: Path, adapter: Path) -> str:
    """Give a Modelfile with which Ollama makes a model of these weights with the adapter on. Pure."""
    return (
        f"FROM {json.dumps(str(weights.absolute()))}\n"
        f"ADAPTER {json.dumps(str(adapter.absolute()))}\n"
        "PARAMETER temperature 0\n"
    )
