"""What a bundled run says of itself: catalogs and policies it names, whether its dossier is its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from planwarden.audit.bundle.withholding import withheld_in
from planwarden.audit.dossier import build_dossier, dossier_bytes
from planwarden.audit.redaction.redact import redact
from planwarden.contracts.dossier import RedactionKind
from planwarden.contracts.value import canonical_json
from planwarden.errors import StoreCorrupt
from planwarden.journal.entry import read_event
from planwarden.journal.stored import StoredRun


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSnapshots:
    """Digests of catalogs and policies."""

    named: tuple[str, ...]
    kept: tuple[str, ...]
    """Those of them that the run says were kept."""


def snapshots_wanted(run: StoredRun) -> NamedSnapshots:
    """Find the catalogs and policies that a run names; an erased one names none any more."""
    facts = [
        _object(payload.body)
        for link in run.links
        if link.kind in ("run_started", "run_taken_over") and (payload := run.payloads.get(link.seq))
    ]
    found = [fact.get(name) for fact in facts for name in ("catalog_digest", "policy_digest")]
    named = tuple(dict.fromkeys(digest for digest in found if isinstance(digest, str)))
    kept = any(fact.get("snapshots_kept") is True for fact in facts)
    return NamedSnapshots(named=named, kept=named if kept else ())


def run_dossier(run: StoredRun) -> bytes:
    """Build the dossier of a whole run.

    Raises:
        StoreCorrupt: its events are not a run.
    """
    events = [read_event(link, run.payloads.get(link.seq)) for link in run.links]
    return dossier_bytes(build_dossier(events, run.links))


def redacted_dossier(run: StoredRun, kind: RedactionKind) -> bytes:
    """Build the dossier of a whole run, redacted: what a reader has where payloads are withheld.

    Raises:
        StoreCorrupt: its events are not a run.
    """
    events = [read_event(link, run.payloads.get(link.seq)) for link in run.links]
    redacted = redact(build_dossier(events, run.links), kind)
    return canonical_json(redacted.model_dump(mode="json")) + b"\n"


def redacted_problem(run: StoredRun, found: bytes | None, redaction: RedactionKind | None) -> str:
    """Say why a redacted dossier does not go with this run; empty when it does.

    It cannot be made anew, for what it was made of is withheld: only its chain is compared.
    """
    if not withheld_in(run):
        return "" if found is None else "there is a redacted dossier of a run of which nothing is withheld"
    if any(payload.erased for payload in run.payloads.values()):
        return "" if found is None else "there is a redacted dossier of a run whose payloads were erased"
    if found is None:
        return "the redacted dossier is missing"
    said = _object(found)
    inner = said.get("dossier")
    whose = cast("dict[str, object]", inner) if isinstance(inner, dict) else {}
    if (said.get("redacted"), whose.get("run_id")) != (redaction, run.run_id):
        return "the redacted dossier is of another run, or redacted in another way than the manifest says"
    return _events_problem(whose, run)


def _events_problem(dossier: dict[str, object], run: StoredRun) -> str:
    events = dossier.get("events")
    listed = cast("list[object]", events) if isinstance(events, list) else []
    hashes = [cast("dict[str, object]", each).get("hash") for each in listed if isinstance(each, dict)]
    same = hashes == [link.hash for link in run.links]
    return "" if same else "the dossier lists other events than the record has"


def dossier_problem(run: StoredRun, found: bytes | None, *, same_version: bool) -> str:
    """Say why a dossier is not that of this run; empty when it is.

    Another version of Planwarden may have written the same differently: then only its chain is compared.
    """
    if not run.is_whole:
        return "" if found is None else "there is a whole dossier of a run whose payloads are not all there"
    if found is None:
        return "the dossier is missing"
    if same_version:
        try:
            return "" if found == run_dossier(run) else "the dossier is not the one that its events give"
        except StoreCorrupt as error:
            return error.message
    return _events_problem(_object(found), run)


def _object(body: bytes | None) -> dict[str, object]:
    try:
        value: object = json.loads(body.decode("utf-8", "surrogatepass")) if body else None
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
