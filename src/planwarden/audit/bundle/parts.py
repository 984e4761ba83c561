"""The parts of a bundle: their names, and the one order that they come in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from planwarden.audit.bundle.archive import Place, rejected
from planwarden.audit.bundle.withholding import Redacted
from planwarden.contracts.value import canonical_json
from planwarden.errors import BundleRejected

BUNDLE_VERSION = 1
ANCHORS, MANIFEST, SIGNATURE = "anchors.jsonl", "manifest.jsonl", "signature.json"
RunPart = Literal["record.jsonl", "dossier.json", "redacted.json", "anchored.json"]
RUN_PARTS: tuple[RunPart, ...] = ("record.jsonl", "dossier.json", "redacted.json", "anchored.json")
"""In their order."""

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RUN_PART = re.compile(rf"runs/({_RUN_ID.pattern})/({'|'.join(RUN_PARTS)})")
_SNAPSHOT = re.compile(r"snapshots/(catalog|policy)-([0-9a-f]{64})\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotName:
    """What the name of a snapshot's part says."""

    kind: str
    digest: str


def run_part(run_id: str, part: RunPart) -> str:
    """Name a part of a run.

    Raises:
        BundleRejected: no file can be called like the run.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise BundleRejected(
            f"The run {run_id!r} has an id that no file can be called by.", remedy="Leave that run out."
        )
    return f"runs/{run_id}/{part}"


def snapshot_part(kind: str, digest: str) -> str:
    """Name the part of a snapshot."""
    return f"snapshots/{kind}-{digest.removeprefix('sha256:')}.json"


def run_of(name: str) -> tuple[str, RunPart] | None:
    """Give run and part that a name says; None where it is no part of a run."""
    found = _RUN_PART.fullmatch(name)
    parts: dict[str, RunPart] = {part: part for part in RUN_PARTS}
    return (found[1], parts[found[2]]) if found else None


def snapshot_of(name: str) -> SnapshotName | None:
    """Give what the name of a snapshot's part says; None where it is none."""
    found = _SNAPSHOT.fullmatch(name)
    return SnapshotName(kind=found[1], digest=f"sha256:{found[2]}") if found else None


def in_order(found: Iterable[Place]) -> Iterator[Place]:
    """Let parts through that stand in the order they have to, each once.

    Raises:
        BundleRejected: one is unknown, out of order, there twice, or missing.
    """
    last: tuple[int, str, int] | None = None
    missing = [ANCHORS, MANIFEST, SIGNATURE]
    for place in found:
        rank = _rank(place.name)
        if last is not None and rank <= last:
            raise rejected(f"its part {place.name} is there twice or out of order")
        if rank[0] == _RUNS and rank[2] and (last is None or rank[:2] != last[:2]):
            raise rejected(f"its part {place.name} comes without the record of the run")
        last = rank
        missing = [name for name in missing if name != place.name]
        yield place
    if missing:
        raise rejected(f"it has no part {missing[0]}")


def manifest_head(*, runs: int, parts: int, redacted: Redacted | None = None) -> bytes:
    """Write the first line of the manifest; `parts` are those that it lists."""
    said = {} if redacted is None else {"redacted": redacted.told()}
    return canonical_json({"bundle_version": BUNDLE_VERSION, "parts": parts, "runs": runs, **said}) + b"\n"


def manifest_line(name: str, content: bytes, digest: str) -> bytes:
    """Write the line of a part in the manifest."""
    return (
        canonical_json({"bytes": len(content), "name": name, "sha256": digest.removeprefix("sha256:")})
        + b"\n"
    )


_RUNS = 2


def _rank(name: str) -> tuple[int, str, int]:
    fixed = {ANCHORS: 0, MANIFEST: 3, SIGNATURE: 4}
    if name in fixed:
        return fixed[name], "", 0
    if snapshot_of(name):
        return 1, name, 0
    if run := run_of(name):
        return _RUNS, run[0], RUN_PARTS.index(run[1])
    raise rejected(f"it has a part {name}, which is unknown")
