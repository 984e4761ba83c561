"""Anchors: one hash over the ends of all runs that grew, chained to the one before, to be kept elsewhere.

Whoever rewrites a run, with all its hashes, or deletes it whole, cannot make it fit an anchor that is kept
where they cannot write. The exact bytes are described in docs/reference/dossier.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field, ValidationError

from planwarden.contracts.event import GENESIS, ChainFault
from planwarden.contracts.value import Contract, Digest, canonical_json, digest
from planwarden.errors import StoreCorrupt
from planwarden.journal.chain import instant, instant_text
from planwarden.journal.merkle import root_of

_MAX_LINE = 4096
"""Bytes of a line in a file of anchors; ours have about 350."""


class Anchor(Contract):
    """What is written down of all runs that grew since the anchor before."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    anchor_version: Literal[1] = 1
    number: Annotated[int, Field(ge=1)]
    """1, 2, 3, … without gaps."""
    at: Annotated[AwareDatetime, BeforeValidator(instant)]
    runs: Annotated[int, Field(ge=1)]
    """How many runs it takes in."""
    root: Digest
    """Of the hash tree over the ends of these runs."""
    previous: Digest
    """Hash of the anchor before; for the first one `sha256:0000…0000`."""
    hash: Digest

    @property
    def day(self) -> str:
        """Give the day in UTC, as `2026-05-04`."""
        return self.at.astimezone(UTC).date().isoformat()

    def fields(self) -> dict[str, object]:
        """Give it as JSON."""
        return {**self.model_dump(exclude={"at"}), "at": instant_text(self.at)}

    def line(self) -> bytes:
        """Write it as the one line of canonical JSON that is kept elsewhere."""
        return canonical_json(self.fields()) + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """Where a run's record ended when an anchor took it in."""

    run_id: str
    seq: int
    hash: str

    def leaf(self) -> bytes:
        """Write it as a leaf of the hash tree: `[run_id, seq, hash]` as canonical JSON."""
        return canonical_json([self.run_id, self.seq, self.hash])


def make_anchor(ends: Iterable[RunEnd], *, after: Anchor | None, at: datetime) -> Anchor | None:
    """Take in the ends of runs, in the order of their ids; None when there are none."""
    count = 0

    def counted() -> Iterator[bytes]:
        nonlocal count
        for end in ends:
            count += 1
            yield end.leaf()

    root = f"sha256:{root_of(counted()).hex()}"
    if not count:
        return None
    unsealed = Anchor(
        number=after.number + 1 if after else 1,
        at=instant_text(at),  # pyright: ignore[reportArgumentType] - read by `instant`
        runs=count,
        root=root,
        previous=after.hash if after else GENESIS,
        hash=GENESIS,
    )
    return unsealed.model_copy(update={"hash": anchor_hash(unsealed)})


def anchor_hash(anchor: Anchor) -> str:
    """Compute what an anchor's `hash` has to be, from everything else in it."""
    fields = anchor.fields()
    del fields["hash"]
    return digest(fields)


def anchor_problems(anchor: Anchor, before: Anchor | None, *, first: bool = True) -> Iterator[str]:
    """Say what is wrong with an anchor by itself and after the one before it.

    With `first` False the list may begin anywhere: then nothing is expected of one without one before.
    """
    if anchor.hash != anchor_hash(anchor):
        yield f"anchor {anchor.number} is not what was written: its hash does not match"
    expected = before.number + 1 if before else 1
    if (before or first) and anchor.number != expected:
        yield f"anchor {anchor.number} stands where anchor {expected} belongs"
    elif (before or first) and anchor.previous != (before.hash if before else GENESIS):
        yield f"anchor {anchor.number} does not follow the one before it: their hashes do not match"


def read_anchor(line: bytes) -> Anchor:
    """Read a line that `Anchor.line` wrote.

    Raises:
        ValueError: it is written in any other way, even one that means the same.
    """
    if len(line) > _MAX_LINE:
        raise ValueError("too long for an anchor")
    try:
        anchor = Anchor.model_validate(json.loads(line))
    except (ValidationError, ValueError, RecursionError) as error:
        raise ValueError("not an anchor") from error
    if anchor.line().rstrip(b"\n") != line.rstrip(b"\n"):
        raise ValueError("not an anchor as it is written")
    return anchor


def anchor_fault(problem: str, *, run_id: str = "", seq: int | None = None) -> ChainFault:
    """Say that something about an anchor is not as it was written; with the run that it is about."""
    return ChainFault(run_id=run_id, seq=seq, problem=problem)


def damaged_anchor(number: object) -> StoreCorrupt:
    """Say that a stored anchor cannot be read back."""
    return StoreCorrupt(
        f"Anchor {number} of the journal cannot be read back.",
        remedy="See what else is wrong with `planwarden dossier verify --all`.",
    )
