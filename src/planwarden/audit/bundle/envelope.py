"""The signature of a bundle: an in-toto statement about its manifest, in a DSSE envelope (version 1). Pure.

https://github.com/secure-systems-lab/dsse, https://github.com/in-toto/attestation
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from planwarden.audit.bundle.archive import rejected
from planwarden.audit.bundle.keys import PublicKey, SigningKey, is_signed, read_public_key
from planwarden.audit.bundle.withholding import Redacted
from planwarden.contracts.dossier import RedactionKind
from planwarden.contracts.value import Contract, Digest, canonical_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:planwarden:bundle:v1"


class Signed(Contract):
    """What the signature is about."""

    bundle_version: Literal[1] = 1
    manifest: Digest
    """Of the bytes of the manifest."""
    planwarden_version: str
    runs: Annotated[int, Field(ge=0)]
    redacted: RedactionKind | None = None
    """What was left out; None of a bundle from which nothing was."""
    withheld: Annotated[int, Field(ge=0)] = 0
    """How many payloads were."""

    @property
    def redaction(self) -> Redacted | None:
        """Say what was left out."""
        return None if self.redacted is None else Redacted(kind=self.redacted, withheld=self.withheld)


class _Signature(Contract):
    keyid: str
    sig: str


class _Envelope(Contract):
    payload: str
    payloadType: str  # noqa: N815 - the standard's name
    signatures: Annotated[tuple[_Signature, ...], Field(min_length=1, max_length=1)]


class Opened(Contract):
    """An envelope taken apart."""

    signed: Signed
    fingerprint: Digest
    genuine: bool
    """Whether the signature is that of the key that the statement names."""


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Give the bytes that are signed: `DSSEv1`, then length and text of type and payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(signed: Signed, key: SigningKey) -> bytes:
    """Sign a statement; the same one gets the same bytes."""
    payload = _statement(signed, key.public)
    return _envelope(payload, key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload)), key.public)


def unseal(data: bytes) -> Opened:
    """Take an envelope apart.

    Raises:
        BundleRejected: it is none, is of another version, or is written in any other way than `seal` writes.
    """
    try:
        envelope = _Envelope.model_validate_json(data)
        payload = base64.b64decode(envelope.payload, validate=True)
        signature = base64.b64decode(envelope.signatures[0].sig, validate=True)
        signed, key = _read_statement(payload)
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise rejected("its signature is not one of ours, or of another version") from error
    if _envelope(payload, signature, key) != data or _statement(signed, key) != payload:
        raise rejected("its signature is not written as we write them")
    genuine = is_signed(key, signature, pre_authentication_encoding(PAYLOAD_TYPE, payload))
    return Opened(signed=signed, fingerprint=key.fingerprint, genuine=genuine)


def _envelope(payload: bytes, signature: bytes, key: PublicKey) -> bytes:
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": key.fingerprint, "sig": base64.b64encode(signature).decode()}],
    }
    return canonical_json(envelope) + b"\n"


def _statement(signed: Signed, key: PublicKey) -> bytes:
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": "manifest.jsonl", "digest": {"sha256": signed.manifest.removeprefix("sha256:")}}
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "bundle_version": signed.bundle_version,
                "planwarden_version": signed.planwarden_version,
                "public_key": key.pem,
                "runs": signed.runs,
                **({"redacted": signed.redaction.told()} if signed.redaction else {}),
            },
        }
    )


def _read_statement(payload: bytes) -> tuple[Signed, PublicKey]:
    statement = json.loads(payload)
    predicate = statement["predicate"]
    signed = Signed(
        bundle_version=predicate["bundle_version"],
        manifest=f"sha256:{statement['subject'][0]['digest']['sha256']}",
        planwarden_version=predicate["planwarden_version"],
        runs=predicate["runs"],
        redacted=predicate.get("redacted", {}).get("kind"),
        withheld=predicate.get("redacted", {}).get("withheld", 0),
    )
    return signed, read_public_key(predicate["public_key"])
