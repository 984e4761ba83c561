"""The tombstone of a run: built from its chain and its last fact, written as JSON and as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from planwarden.audit.dossier import dossier_event
from planwarden.audit.render import cell
from planwarden.contracts.event import EventLink
from planwarden.contracts.facts import PayloadsErased
from planwarden.contracts.summary import RunSummary
from planwarden.contracts.tombstone import Tombstone
from planwarden.contracts.value import canonical_json

UNVERIFIED = "It was not what had been written when it was erased."
NOTHING_LEFT = "Nothing but the chain: the record could not be read when it was erased."


def build_tombstone(
    links: Sequence[EventLink], erased: PayloadsErased, summary: RunSummary | None
) -> Tombstone:
    """Build what stands for an erased run; `links` end with the event of `erased`."""
    last = links[-1]
    return Tombstone(
        run_id=last.run_id,
        erased_at=last.at,
        erased_by=erased.by,
        reason=erased.reason,
        payloads=erased.payloads,
        verified=erased.verified,
        summary=summary,
        events=tuple(dossier_event(link) for link in links),
        head=last.hash,
    )


def tombstone_bytes(tombstone: Tombstone) -> bytes:
    """Serialise a tombstone to its one canonical form."""
    return canonical_json(tombstone.model_dump(mode="json")) + b"\n"


def tombstone_markdown(tombstone: Tombstone) -> str:
    """Write a tombstone as Markdown."""
    erased = (
        f"What this run said was erased on {tombstone.erased_at.isoformat()} by {cell(tombstone.erased_by)}:"
        f" {tombstone.payloads} payloads."
    )
    checked = f"Check it with `planwarden dossier verify {tombstone.run_id}`."
    lines = [
        f"# Run {tombstone.run_id}: erased",
        "",
        erased,
        "",
        f"- **Reason:** {cell(tombstone.reason)}",
        *([f"- **Record:** {UNVERIFIED}"] if tombstone.verified is False else []),
        "",
        "## What is left",
        "",
        *_summary(tombstone.summary),
        "",
        "## Record",
        "",
        f"{len(tombstone.events)} events; head `{tombstone.head}`. {checked}",
    ]
    return "\n".join(lines) + "\n"


def what_is_left(summary: RunSummary | None) -> tuple[tuple[str, str], ...]:
    """Give the summary as names and values; nothing where there is none."""
    if summary is None:
        return ()
    deviations = ", ".join(f"{kind} {count}" for kind, count in summary.deviations.items())
    return (
        ("Status", summary.status + (f" ({summary.code})" if summary.code else "")),
        ("Tenant", summary.tenant),
        ("From", f"{summary.started_at.isoformat()} to {summary.updated_at.isoformat()}"),
        ("Agents", ", ".join(summary.agents) or "none"),
        ("Tools", ", ".join(summary.tools) or "none"),
        ("Calls", str(len(summary.calls))),
        ("Adherence", "–" if summary.adherence is None else f"{summary.adherence:.0%}"),
        ("Deviations", deviations or "none"),
    )


def _summary(summary: RunSummary | None) -> list[str]:
    return [f"- **{name}:** {cell(value)}" for name, value in what_is_left(summary)] or [NOTHING_LEFT]
