"""What is left of a run whose payloads were erased: in place of its dossier."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from planwarden.contracts.dossier import DossierEvent
from planwarden.contracts.summary import RunSummary
from planwarden.contracts.value import Contract, Digest


class Tombstone(Contract):
    """Who erased what a run said, when and why; the run in names and numbers; its chain."""

    tombstone_version: Literal[1] = 1
    run_id: str
    erased_at: AwareDatetime
    erased_by: str
    reason: str
    payloads: int
    """How many were erased."""
    verified: bool | None = None
    """Whether the record was what had been written, just before; None: nobody looked."""
    summary: RunSummary | None
    """None where the run's record could not be read when it was erased."""
    events: tuple[DossierEvent, ...]
    head: Digest
