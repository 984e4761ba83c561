"""A fact with its place and time, and the links of the hash chain."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from planwarden.contracts.facts import Fact
from planwarden.contracts.value import Contract, Digest

GENESIS = "sha256:" + "0" * 64
"""What the first event of a run links to."""


class RunEvent(Contract):
    """A fact of a run, at its place in the record."""

    run_id: str
    seq: Annotated[int, Field(ge=1)]
    """1, 2, 3, … without gaps."""
    at: AwareDatetime
    epoch: Annotated[int, Field(ge=1)]
    """Of the lease under which it was written."""
    fact: Fact


class EventLink(Contract):
    """The chain's part of an event: everything but the payload, which can be erased."""

    run_id: str
    seq: Annotated[int, Field(ge=1)]
    at: AwareDatetime
    epoch: Annotated[int, Field(ge=1)]
    kind: str
    payload_digest: Digest
    """Over nonce and payload, so that an erased payload cannot be guessed from its digest."""
    previous: Digest
    hash: Digest


class ChainFault(Contract):
    """One place where a record is not what was written."""

    run_id: str
    seq: int | None
    problem: str
