"""Plans kept in a file, to compare with what another version or another planner makes of the same tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from planwarden.contracts.shadow import ShadowPlan
from planwarden.contracts.value import Contract, Digest, digest
from planwarden.errors import DataRejected
from planwarden.evaluation.shadow.compare import Compared
from planwarden.evaluation.shadow.reading import text_of, validated
from planwarden.evaluation.shadow.task import ShadowTask

PREFIX = "plans="
"""`--against plans=FILE`."""
REMEDY = "Write one with `planwarden shadow --out FILE`; docs/guides/shadow.md describes the format."
JOURNAL = "journal"


class KeptPlan(Contract):
    """One line: which task, over which catalog and policy, and what a planner said to it."""

    task: Annotated[str, Field(min_length=1, max_length=256)]
    """Its id: of a run, or as the file of tasks has it."""
    request_digest: Digest | None = None
    """Of the request, where the id alone does not name it; None for a run."""
    catalog_digest: Digest
    policy_digest: Digest
    planner: Annotated[str, Field(min_length=1)]
    """Model and settings of who planned, and the prompt."""
    made: str
    """By which version of Planwarden, and when."""
    plan: ShadowPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSide:
    """Plans that were made before."""

    name: str
    describes: str
    plans: Mapping[str, KeptPlan]
    missing: str = "not among the kept plans, or over another catalog or policy"

    async def plan(self, task: ShadowTask) -> ShadowPlan | None:
        """Give the plan that was kept for this very task; None where there is none."""
        kept = self.plans.get(task.id)
        return kept.plan if kept is not None and _same(kept, task) else None


def kept_plans(pairs: Iterable[Compared], *, planner: str, made: str) -> str:
    """Write the first side's plans as JSON lines; no request and no reason is in them. Pure."""
    lines = (
        KeptPlan(
            task=pair.task.id,
            request_digest=_request_digest(pair.task),
            catalog_digest=pair.task.place.catalog.digest,
            policy_digest=pair.task.place.policy.digest,
            planner=planner,
            made=made,
            plan=pair.first,
        )
        for pair in pairs
    )
    return "".join(f"{line.model_dump_json()}\n" for line in lines)


def read_plans(path: Path) -> KeptSide:
    """Read plans that were kept.

    Raises:
        DataRejected: the file cannot be read, a line is no plan, a task occurs twice, or there is none.
    """
    plans: dict[str, KeptPlan] = {}
    for number, line in enumerate(text_of(path, REMEDY).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        kept = validated(KeptPlan, line, where, REMEDY)
        if kept.task in plans:
            raise DataRejected(f"{where}: a second plan for {kept.task!r}.", remedy=REMEDY)
        plans[kept.task] = kept
    if not plans:
        raise DataRejected(f"{path} holds no plans.", remedy=REMEDY)
    by = dict.fromkeys(f"kept plans of {kept.planner}. {kept.made}" for kept in plans.values())
    return KeptSide(name=path.stem[:40], describes=" And ".join(by), plans=plans)


def _same(kept: KeptPlan, task: ShadowTask) -> bool:
    here = (_request_digest(task), task.place.catalog.digest, task.place.policy.digest)
    return (kept.request_digest, kept.catalog_digest, kept.policy_digest) == here


def _request_digest(task: ShadowTask) -> str | None:
    """Name the request of a task from a file; a run's id names it, and its request may be erased some day."""
    return None if task.source == JOURNAL else digest(task.request)
