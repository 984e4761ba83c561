"""The words in which a shadow report is shown, on a terminal and as a page. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from planwarden.audit.page.amounts import counted
from planwarden.evaluation.shadow.report.contract import ShadowReport
from planwarden.evaluation.shadow.task import Evidence

RIGHT_WORDS: Mapping[str, str] = {
    "tools_f1": "F1 of the tools",
    "right": "plan exactly right",
    "agents": "agents right",
}
EVIDENCE_WORDS: Mapping[Evidence, str] = {
    "gold": "right plan labelled",
    "person": "right by a person and by how it ran",
    "ran": "ran as planned",
}
AGREEMENT_WORDS: Mapping[str, str] = {
    "same_plan": "same plan",
    "tools_exact": "same tools, each as often",
    "tools_f1": "tools, F1",
    "tools_jaccard": "tools, Jaccard",
    "agents_exact": "same agents, each as often",
    "agents_f1": "agents, F1",
    "agents_jaccard": "agents, Jaccard",
    "way_out": "same way out, or none",
    "order_distance": "order distance (0 alike, 1 reversed)",
}


def tally(report: ShadowReport) -> str:
    """Say which tasks were looked at, in a line."""
    said = counted(report.tasks.compared, "task")
    said += f" planned, {report.tasks.known} with a known right plan that counts"
    if report.tasks.left_out:
        said += "; left out: " + ", ".join(
            f"{count} ({reason})" for reason, count in report.tasks.left_out.items()
        )
    return said


def counts(found: Mapping[str, int]) -> str:
    """Write how many of what, most first."""
    return (
        ", ".join(f"{name} {count}" for name, count in sorted(found.items(), key=lambda each: -each[1]))
        or "–"
    )


def money(amount: float) -> str:
    """Write an amount; small ones with more digits."""
    return "0" if amount == 0 else f"{amount:.4f}" if amount < 1 else f"{amount:,.2f}"
