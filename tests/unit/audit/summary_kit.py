"""Summaries of runs made up at will, for what counts and reports them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from planwarden.audit.report.figures import PeriodReport
from planwarden.audit.report.fold import period_report
from planwarden.contracts.summary import RunSummary
from planwarden.journal.index import Unreadable

NOW = datetime(2026, 11, 24, 15, 20, tzinfo=UTC)
WEEK = timedelta(days=7)
_NO_DIGEST = "sha256:" + "0" * 64


def a_summary(at: datetime = NOW - timedelta(hours=3), **given: Any) -> RunSummary:
    fields: dict[str, Any] = {
        "run_id": "r1",
        "tenant": "default",
        "seq": 9,
        "status": "completed",
        "started_at": at,
        "updated_at": at,
        "source": "planner",
        "confidence": 0.8,
        "adherence": 1.0,
        "planner_provider": "ollama",
        "planner_model": "small",
        "agents_model": "large",
        "planner_latency_s": 0.5,
        "catalog_digest": _NO_DIGEST,
        "policy_digest": _NO_DIGEST,
    }
    return RunSummary.model_validate(fields | given)


async def report_of(runs: Iterable[RunSummary | Unreadable], **given: Any) -> PeriodReport:
    async def each() -> AsyncIterator[RunSummary | Unreadable]:
        for run in runs:
            yield run

    period: dict[str, Any] = {"since": NOW - WEEK, "until": NOW}
    return await period_report(each(), **(period | given))
