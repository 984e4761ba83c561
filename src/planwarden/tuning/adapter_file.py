"""The trained matrices as llama.cpp's and Ollama's adapter file. Source: llama.cpp, convert_lora_to_gguf."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """An adapter of another size than is wanted."""

    why: str
    """What is said of it: "has rank 8 where 16 is wanted"."""
    remedy: str = "only one of the same size can be gone on from; PLANNER_LLM__ADAPTER can name another"
    """What can be done about it."""


def read_matrices(path: Path, lora: Lora) -> Matrices | Misfit:
    """Read an adapter's matrices, or say why they are not of this size. Blocks.

    Raises:
        SettingsRejected: the library that reads such files is missing.
    """
    reader = library("gguf").GGUFReader(path)
    alpha = reader.get_field("adapter.lora.alpha")
    named = {str(tensor.name): tensor.data for tensor in reader.tensors}
    return matrices_of(named, lora, alpha=None if alpha is None else float(alpha.contents()))


def matrices_of(named: Mapping[str, Any], lora: Lora, *, alpha: float | None) -> Matrices | Misfit:
    """Sort an adapter's tensors, where they are pairs of this rank for every linear layer. Pure.

    Args:
        named: `NAME.lora_a` of (rank, inputs) and `NAME.lora_b` of (outputs, rank).
        lora: the size that is wanted.
        alpha: of the adapter; None where its file names none.
    """
    a = {name.removesuffix(".lora_a"): each for name, each in named.items() if name.endswith(".lora_a")}
    b = {name.removesuffix(".lora_b"): each for name, each in named.items() if name.endswith(".lora_b")}
    layers = {key.split(".")[1] for key in a if key.startswith("blk.")}
    whole = {f"blk.{layer}.{name}.weight" for layer in layers for name in LINEAR}
    ranks = {each.shape[0] for each in a.values()} | {each.shape[1] for each in b.values()}
    if not a or a.keys() != b.keys() or a.keys() != whole:
        return Misfit(why="does not change every linear layer of the model")
    if ranks != {lora.rank}:
        found = ", ".join(map(str, sorted(ranks)))
        why = f"has rank {found} where {lora.rank} is wanted"
        # Another rank helps only where that is all that does not fit.
        all_else = len(ranks) == 1 and alpha == lora.scale * min(ranks)
        return Misfit(why=why, remedy=f"--rank {found} goes on from it") if all_else else Misfit(why=why)
    if alpha != lora.alpha:
        found = "names no alpha" if alpha is None else f"has alpha {alpha:g}"
        return Misfit(why=f"{found} where {lora.alpha:g} is wanted (twice the rank)")
    return Matrices(a=a, b=b)


def modelfile(weights: Path, adapter: Path) -> str:
    """Give a Modelfile with which Ollama makes a model of these weights with the adapter on. Pure."""
    return (
        f"FROM {json.dumps(str(weights.absolute()))}\n"
        f"ADAPTER {json.dumps(str(adapter.absolute()))}\n"
        "PARAMETER temperature 0\n"
    )
