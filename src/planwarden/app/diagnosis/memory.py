"""Do the models fit in memory together? Arithmetic over what servers, files and the machine say. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from planwarden.app.machine import MachineMemory
from planwarden.contracts.finding import Finding, Status
from planwarden.llm.footprint import ModelFootprint, estimated_bytes

_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldModel:
    """A model that a run uses; two roles on the same weights are one."""

    model: str
    footprint: ModelFootprint | None
    context_tokens: int
    here: bool
    """Whether it takes this machine's memory."""

    @property
    def bytes(self) -> int | None:
        """What it takes: as the server says if it is loaded, else as estimated."""
        if self.footprint is None:
            return None
        return self.footprint.loaded_bytes or estimated_bytes(self.footprint, self.context_tokens)

    @property
    def held_bytes(self) -> int:
        """What of that is in memory already."""
        if self.footprint is None or self.footprint.loaded_context_tokens is None:
            return 0
        return self.bytes or 0


def memory_finding(models: Sequence[HeldModel], machine: MachineMemory | None) -> Finding:
    """Compare what the models take together with what there is."""
    status, detail, remedy = _compared(models, machine)
    return Finding(
        check="memory",
        status=status,
        detail=f"{', '.join(_said(model) for model in models)}{detail}",
        remedy=remedy,
        figures={
            "models": {model.model: model.bytes for model in models},
            "total_bytes": machine.total if machine else None,
            "available_bytes": machine.available if machine else None,
        },
    )


def _compared(models: Sequence[HeldModel], machine: MachineMemory | None) -> tuple[Status, str, str]:
    if any(model.bytes is None for model in models):
        return "skipped", ": the server does not say how large a model is", ""
    if not all(model.here for model in models):
        return "skipped", ": on another machine, whose memory is not seen from here", ""
    needed = sum(model.bytes or 0 for model in models) / _GIB
    if any(model.footprint and model.footprint.loaded_gpu_bytes for model in models):
        return "ok", f": together {needed:.1f} GiB, in a graphics card's memory as far as it reaches", ""
    if machine is None:
        return "skipped", f": together {needed:.1f} GiB; this machine's memory is unknown", ""
    largest = max(models, key=lambda model: model.bytes or 0)
    if (largest.bytes or 0) > machine.total:
        return (
            "bad",
            f": {largest.model} alone is larger than this machine's {machine.total / _GIB:.1f} GiB",
            f"Take a smaller model or quantisation than {_named(largest)}; `ollama list` shows those there.",
        )
    room = (machine.available + sum(model.held_bytes for model in models)) / _GIB
    together = f": together {needed:.1f} GiB of {room:.1f} GiB that they can have"
    if needed <= room:
        return "ok", together, ""
    return (
        "warning",
        f"{together}: they push each other out, or the machine swaps",
        f"Take a smaller quantisation than {_named(largest)}, a smaller NUM_CTX, or one model for both.",
    )


def _said(model: HeldModel) -> str:
    if model.bytes is None:
        return model.model
    about = "" if model.footprint and model.footprint.loaded_bytes else "about "
    return f"{model.model} {about}{model.bytes / _GIB:.1f} GiB at {model.context_tokens} tokens"


def _named(model: HeldModel) -> str:
    level = model.footprint.quantisation if model.footprint else ""
    return f"{model.model} ({level})" if level else model.model
