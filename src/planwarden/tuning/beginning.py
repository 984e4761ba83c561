"""What training begins with: the adapter in use, or none, and why. Pure but for reading the file."""

from __future__ import annotations

from dataclasses import dataclass

from planwarden.llm.embedded.adapter import Adapter
from planwarden.tuning.adapter_file import Misfit, read_matrices
from planwarden.tuning.llama import Lora, Matrices


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """Training goes on from an adapter."""

    named: str
    """Which adapter that is, for people."""
    digest: str
    matrices: Matrices

    @property
    def said(self) -> str:
        """Say it, as the end of a sentence that begins with "training"."""
        return f"goes on from {self.named}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anew:
    """Training begins with no change at all to the weights."""

    because: str

    @property
    def said(self) -> str:
        """Say it, as the end of a sentence that begins with "training"."""
        return f"begins with no adapter: {self.because}"


Beginning = Continued | Anew


def beginning(used: Adapter | None, lora: Lora, *, from_scratch: bool, off: bool = False) -> Beginning:
    """Say what training begins with; reads the adapter's file, and blocks.

    Args:
        used: the adapter in use, or that `auto` stands for, if any.
        lora: the size that is wanted.
        from_scratch: whether to begin with none all the same.
        off: whether the setting says `none`, so that it is not in use now.

    Raises:
        SettingsRejected: the library that reads such files is missing.
    """
    if from_scratch:
        return Anew(because="--from-scratch")
    if used is None:
        return Anew(because="none is in use")
    whose = "that auto stands for (PLANNER_LLM__ADAPTER is none)" if off else "in use"
    which = f"{whose}, {used.digest[:19]}…"
    match read_matrices(used.path, lora):
        case Misfit(why=why, remedy=remedy):
            return Anew(because=f"the one {which}, {why}; {remedy}")
        case matrices:
            return Continued(named=f"the adapter {which}", digest=used.digest, matrices=matrices)
