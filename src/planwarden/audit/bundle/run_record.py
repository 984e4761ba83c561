"""A run inside a bundle: its record as lines of JSON, and the proofs that anchors took it in. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from planwarden.audit.bundle.archive import rejected
from planwarden.contracts.event import EventLink
from planwarden.contracts.value import Contract, Digest, canonical_json
from planwarden.journal.anchor import Anchor, RunEnd
from planwarden.journal.chain import Payload, instant, instant_text
from planwarden.journal.merkle import proven_root
from planwarden.journal.stored import StoredRun


class _Head(Contract):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    record_version: Literal[1] = 1
    run_id: str
    tenant: str
    conversation: str | None
    events: Annotated[int, Field(ge=0)]


class _Line(Contract):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seq: Annotated[int, Field(ge=1)]
    at: Annotated[AwareDatetime, BeforeValidator(instant)]
    epoch: Annotated[int, Field(ge=1)]
    kind: str
    payload_digest: Digest
    previous: Digest
    hash: Digest
    nonce: str | None
    payload: str | None
    erased: bool
    withheld: Literal[True] | None = None
    """There only where the payload was left out of the bundle."""


class AnchorProof(Contract):
    """That an anchor took in a run's end: the way from there to the anchor's root."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    anchor: Annotated[int, Field(ge=1)]
    seq: Annotated[int, Field(ge=1)]
    hash: Digest
    index: Annotated[int, Field(ge=0)]
    proof: list[Digest]


_proofs = TypeAdapter(list[AnchorProof])


def record_bytes(run: StoredRun) -> bytes:
    """Write a run's record, each payload as the text that is stored."""
    head = _Head(run_id=run.run_id, tenant=run.tenant, conversation=run.conversation, events=len(run.links))
    lines = [head.model_dump(), *(_line(link, run.payloads[link.seq]) for link in run.links)]
    return b"".join(canonical_json(line) + b"\n" for line in lines)


def read_record(run_id: str, data: bytes) -> StoredRun:
    """Read a run's record.

    Raises:
        BundleRejected: it is not written as `record_bytes` writes it, or is of another version.
    """
    try:
        texts = data.decode("utf-8", "surrogatepass").split("\n")
        head = _Head.model_validate(json.loads(texts[0]))
        lines = [_Line.model_validate(json.loads(text)) for text in texts[1:-1]]
    except (ValidationError, ValueError, RecursionError) as error:
        raise rejected(f"the record of run {run_id} cannot be read, or is of another version") from error
    run = StoredRun(
        run_id=head.run_id,
        tenant=head.tenant,
        conversation=head.conversation,
        links=tuple(_link(head.run_id, line) for line in lines),
        payloads={line.seq: _payload(line) for line in lines},
    )
    if head.run_id != run_id or head.events != len(lines) or record_bytes(run) != data:
        raise rejected(f"the record of run {run_id} is not written as we write them")
    return run


def proof_bytes(proofs: Sequence[AnchorProof]) -> bytes:
    """Write the proofs of a run."""
    return canonical_json([proof.model_dump() for proof in proofs]) + b"\n"


def read_proofs(run_id: str, data: bytes) -> tuple[AnchorProof, ...]:
    """Read the proofs of a run.

    Raises:
        BundleRejected: they are not written as `proof_bytes` writes them.
    """
    try:
        found = tuple(_proofs.validate_python(json.loads(data)))
    except (ValidationError, ValueError, RecursionError) as error:
        raise rejected(f"what anchors run {run_id} cannot be read") from error
    if proof_bytes(found) != data:
        raise rejected(f"what anchors run {run_id} is not written as we write it")
    return found


def proof_problem(run: StoredRun, proof: AnchorProof, anchors: Mapping[int, Anchor]) -> str:
    """Say why a proof does not show that an anchor took in this run; empty when it does."""
    anchor = anchors.get(proof.anchor)
    if anchor is None:
        return f"anchor {proof.anchor} is not in the bundle"
    if not any((link.seq, link.hash) == (proof.seq, proof.hash) for link in run.links):
        return f"anchor {proof.anchor} took in event {proof.seq} with hash {proof.hash}, which is not there"
    root = proven_root(
        RunEnd(run_id=run.run_id, seq=proof.seq, hash=proof.hash).leaf(),
        index=proof.index,
        size=anchor.runs,
        proof=[bytes.fromhex(step.removeprefix("sha256:")) for step in proof.proof],
    )
    if root is None or f"sha256:{root.hex()}" != anchor.root:
        return f"what shows that anchor {proof.anchor} took it in does not lead to the anchor's root"
    return ""


def _line(link: EventLink, payload: Payload) -> dict[str, object]:
    body = None if payload.body is None else payload.body.decode("utf-8", "surrogatepass")
    chain = {**link.model_dump(exclude={"run_id"}), "at": instant_text(link.at)}
    withheld = {"withheld": True} if payload.withheld else {}
    return {**chain, "nonce": payload.nonce, "payload": body, "erased": payload.erased, **withheld}


def _link(run_id: str, line: _Line) -> EventLink:
    return EventLink(
        run_id=run_id,
        seq=line.seq,
        at=line.at,
        epoch=line.epoch,
        kind=line.kind,
        payload_digest=line.payload_digest,
        previous=line.previous,
        hash=line.hash,
    )


def _payload(line: _Line) -> Payload:
    body = None if line.payload is None else line.payload.encode("utf-8", "surrogatepass")
    return Payload(nonce=line.nonce, body=body, erased=line.erased, withheld=line.withheld is True)
