"""The page of an erased run: who erased it, and what is left. Pure."""

from __future__ import annotations

from planwarden.audit.page.amounts import moment
from planwarden.audit.page.document import document
from planwarden.audit.page.element import code, joined, section, short_digest, table, tag
from planwarden.audit.page.plan import facts
from planwarden.audit.tombstone import NOTHING_LEFT, UNVERIFIED, what_is_left
from planwarden.contracts.tombstone import Tombstone


def tombstone_page(tombstone: Tombstone) -> str:
    """Write a tombstone as one HTML file."""
    erased = [
        ("erased by", joined((tombstone.erased_by,))),
        ("at", joined((moment(tombstone.erased_at),))),
        ("reason", joined((tombstone.reason,))),
        ("payloads", joined((str(tombstone.payloads),))),
    ]
    if tombstone.verified is False:
        erased.append(("record", joined((UNVERIFIED,))))
    left = [(name.lower(), joined((value,))) for name, value in what_is_left(tombstone.summary)]
    chain = [
        (str(event.seq), moment(event.at), event.kind, short_digest(event.hash)) for event in tombstone.events
    ]
    return document(
        f"Run {tombstone.run_id}: erased",
        tag("header", tag("h1", "Run ", code(tombstone.run_id), ": erased")),
        tag(
            "main",
            section("erased", "Erased", tag("p", "What this run said is gone for good."), facts(erased)),
            section("left", "What is left", facts(left) if left else tag("p", NOTHING_LEFT)),
            section("record", "Record", table("Events", ("event", "at", "kind", "hash"), chain)),
        ),
    )
