"""Choosing runs, and what is left of one whose payloads are erased. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from planwarden.contracts.run import RunStatus
from planwarden.contracts.summary import RunSummary, SummarisedCall
from planwarden.errors import RunErased

UNKNOWN_TOOL = "(erased)"
"""Stands for the name of a tool that no catalog has: an agent's model made it up, of who knows what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which runs are meant; all conditions have to hold, and None sets none."""

    runs: tuple[str, ...] | None = None
    principal: str | None = None
    """Id of who asked."""
    conversation: str | None = None
    tenant: str | None = None
    idle_since: datetime | None = None
    """Whose last event is older."""
    keep: tuple[RunStatus, ...] = ()
    """Whose status is none of these."""
    sound: bool = False
    """Whose record is what was written, and says how they ended where `keep` asks for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A run that was meant."""

    run_id: str
    tenant: str
    conversation: str | None
    over: bool
    """Whether it ended."""
    owned: bool
    """Whether a live lease is held."""
    erased: bool
    """Whether its payloads are gone already."""
    altered: bool = False
    """Whether only sound runs are meant, and this is none."""

    @property
    def erasable(self) -> bool:
        """Whether its payloads can be erased now."""
        return self.over and not self.owned and not self.erased and not self.altered


def run_erased(run_id: str, at: datetime) -> RunErased:
    """Say that nothing is left of what a run said."""
    return RunErased(
        f"What run {run_id} said was erased on {at:%Y-%m-%d}: nothing is left to read, to replay or to go on"
        " with.",
        remedy=f"`planwarden dossier show {run_id}` says who erased it, why, and what is left.",
    )


def summary_left(summary: RunSummary, *, seq: int, tools: Collection[str]) -> RunSummary:
    """Give what is kept of a summary once the payloads are gone.

    Names of tools that are not in the catalog go too: a model made them up, and may have put anything there.

    Args:
        summary: as it was.
        seq: of the event that says what was erased.
        tools: all names of tools in the run's catalog.
    """

    def call(each: SummarisedCall) -> SummarisedCall:
        return each if each.tool in tools else each.model_copy(update={"tool": UNKNOWN_TOOL})

    kept = {
        "seq": seq,
        "erased": True,
        "tools": tuple(dict.fromkeys(tool if tool in tools else UNKNOWN_TOOL for tool in summary.tools)),
        "calls": tuple(call(each) for each in summary.calls),
    }
    return summary.model_copy(update=kept)
