"""A check of `planwarden doctor`: a finding and what it is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from planwarden.contracts.finding import Finding, Status
from planwarden.contracts.value import Contract, Json
from planwarden.errors import PlanwardenError

Group = Literal[
    "machine",
    "settings",
    "catalog",
    "tools",
    "store",
    "planner model",
    "agents' model",
    "agents' own models",
    "models together",
]
Note = Callable[[str], None]
"""Told what is being looked at, for whoever waits."""


class Check(Contract):
    """One line of the report."""

    group: Group
    check: str
    status: Status
    detail: str
    remedy: str
    figures: dict[str, Json]

    @property
    def ok(self) -> bool:
        """Whether it stands in nobody's way; a warning does not."""
        return self.status != "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisOptions:
    """How far to look."""

    quick: bool = False
    """Ask the models nothing."""
    thorough: bool = False
    """Fill the models' contexts and read the whole journal, however long it takes."""
    data: tuple[str, ...] = ()


def in_group(group: Group, finding: Finding) -> Check:
    """Put a finding where it belongs."""
    return Check(
        group=group,
        check=finding.check,
        status=finding.status,
        detail=finding.detail,
        remedy=finding.remedy,
        figures=finding.figures,
    )


def trouble(check: str, error: PlanwardenError) -> Finding:
    """Make a finding of an error."""
    return Finding(
        check=check, status="bad", detail=error.message, remedy=error.remedy, figures={"code": error.code}
    )


def first_to_do(checks: Sequence[Check]) -> Check | None:
    """Give the check whose remedy comes first: what is bad before what is a warning."""
    for status in ("bad", "warning"):
        found = next((check for check in checks if check.status == status and check.remedy), None)
        if found is not None:
            return found
    return None
