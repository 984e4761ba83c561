"""What a bundled run says of itself: catalogs and policies it names, whether its dossier is its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from planwarden.audit.dossier import build_dossier, dossier_bytes
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


def dossier_problem(run: StoredRun, found: bytes | None, *, same_version: bool) -> str:
    """Say why a dossier is not that of this run; empty when it is.

    Another version of Planwarden may have written the same differently: then only its chain is compared.
    """
    if not run.is_whole:
        return "" if found is None else "there is a dossier of a run whose payloads are erased"
    if found is None:
        return "the dossier is missing"
    if same_version:
        try:
            return "" if found == run_dossier(run) else "the dossier is not the one that its events give"
        except StoreCorrupt as error:
            return error.message
    events = _object(found).get("events")
    listed = cast("list[dict[str, object]]", events) if isinstance(events, list) else []
    same = [each.get("hash") for each in listed] == [link.hash for link in run.links]
    return "" if same else "the dossier lists other events than the record has"


def _object(body: bytes | None) -> dict[str, object]:
    try:
        value: object = json.loads(body.decode("utf-8", "surrogatepass")) if body else None
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
