"""The report of a period: what the runs add up to, in memory that does not grow with them."""

from __future__ import annotations

import asyncio
import itertools
import math
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

import pytest
from dossier_pages import Reading, check_harmless
from hypothesis import given
from hypothesis import strategies as st
from summary_kit import NOW, WEEK, a_summary, report_of

from planwarden.audit.report.figures import PeriodReport
from planwarden.audit.report.fold import MAX_SLOTS
from planwarden.audit.report.report_page import report_page
from planwarden.audit.report.statistics import Sketch, share_of
from planwarden.audit.report.tally import BINS, MAX_TOOLS, TOP, Tally
from planwarden.contracts.summary import RunSummary
from planwarden.journal.index import Unreadable

pytestmark = pytest.mark.anyio
STATUSES = ("completed", "failed", "refused", "cancelled", "asked", "waiting", "in_doubt", "running")
SOURCES = ("planner", "repaired", "prior", "cached", "fallback", "edited", None)


def mixed(count: int, seed: int = 1) -> Iterator[RunSummary]:
    random = Random(seed)
    for number in range(count):
        yield a_summary(
            NOW - WEEK + WEEK * number / count,
            run_id=f"r{number}",
            tenant=random.choice(("red", "blue")),
            status=random.choice(STATUSES),
            source=random.choice(SOURCES),
            confidence=random.random(),
            calibrated=random.random() < 0.5,
            adherence=random.choice((None, 0.0, 0.5, 1.0)),
            deviations=random.choice(({}, {"tool_failed": 2}, {"policy_denied": 1, "tool_failed": 1})),
            planner_latency_s=random.choice((None, random.lognormvariate(0, 1))),
            refusals=random.choice(((), ({"rung": "schema", "reason": "notation_broken"},))),
            calls=random.choice(
                ((), ({"tool": f"t{random.randrange(3)}", "status": "refused", "refusal": "out_of_order"},))
            ),
            tokens=({"role": "planner", "prompt": 7, "output": 3, "calls": 1},),
            model_faults=random.choice(((), ({"role": "agents", "code": "model_timed_out", "count": 2},))),
        )


@pytest.mark.requirement("REP-1")
@pytest.mark.parametrize("tenant", [None, "red"])
async def test_the_figures_are_those_of_counting_one_by_one(tenant: str | None) -> None:
    every = list(mixed(400))
    outside = [a_summary(NOW - WEEK - timedelta(days=1)), a_summary(NOW)]
    found = await report_of([outside[0], *every, Unreadable(run_id="x", seq=1), outside[1]], tenant=tenant)
    runs = [run for run in every if tenant in (None, run.tenant)]
    over = [run for run in runs if run.status not in ("waiting", "in_doubt", "running")]
    measured = [run.adherence for run in over if run.adherence is not None]
    assert (found.runs, found.unreadable) == (len(runs), 1)
    assert found.outcomes == Counter(run.status for run in runs)
    assert found.sources == Counter(run.source for run in runs if run.source)
    assert found.deviations == sum((Counter(run.deviations) for run in runs), Counter[Any]())
    assert found.adherence == pytest.approx(sum(measured) / len(measured))
    assert (found.as_planned.count, found.as_planned.of) == (measured.count(1.0), len(measured))
    assert found.deviating.count == sum(bool(run.deviations) for run in runs)
    plans = [run for run in runs if run.source]
    assert (found.fallback.count, found.fallback.of) == (
        sum(run.source == "fallback" for run in plans),
        len(plans),
    )
    assert [(each.tool, each.count) for each in found.refused_tools] == sorted(
        Counter(call.tool for run in runs for call in run.calls).items(), key=lambda item: (-item[1], item[0])
    )
    (refusal,) = found.plan_refusals
    assert refusal.count == sum(bool(run.refusals) for run in runs)
    (trouble,) = found.model_troubles
    assert trouble.count == 2 * sum(bool(run.model_faults) for run in runs)
    (tokens,) = found.tokens
    assert (tokens.prompt, tokens.output, tokens.exchanges) == (7 * len(runs), 3 * len(runs), len(runs))
    assert sum(slot.runs for slot in found.slots) == len(runs)
    assert PeriodReport.model_validate_json(found.model_dump_json()) == found


@pytest.mark.requirement("REP-2")
@given(values=st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=200), share=st.floats(0, 1))
def test_a_quantile_is_within_two_per_cent_of_the_true_one(values: list[float], share: float) -> None:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    true = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert sketch.quantile(share) == pytest.approx(true, rel=0.0201)


@pytest.mark.requirement("REP-2")
def test_a_sketch_holds_a_bounded_number_of_places_whatever_is_put_in() -> None:
    sketch = Sketch()
    for power in range(-4_000, 4_000):
        sketch.add(10 ** (power / 20))
    assert len(sketch.counts) < 600
    assert sketch.latencies.count == 8_000


@pytest.mark.requirement("REP-2")
def test_what_is_kept_does_not_grow_with_the_runs() -> None:
    tally = Tally(since=NOW - WEEK, first_slot=NOW - WEEK, until=NOW, width=timedelta(hours=6))

    def kept(part: Any) -> int:
        inner: list[Any] = []
        if isinstance(part, dict):
            mapping = cast("dict[Any, Any]", part)
            inner = [*mapping, *mapping.values()]
        elif isinstance(part, list):
            inner = cast("list[Any]", part)
        elif hasattr(part, "__slots__"):
            inner = [getattr(part, name) for name in part.__slots__]
        return sys.getsizeof(cast("object", part)) + sum(map(kept, inner))

    def spread(count: int, seed: int) -> None:
        for number, run in enumerate(mixed(count, seed)):
            call = {"tool": f"made up {seed} {number}", "status": "refused", "refusal": "out_of_order"}
            seconds = 0.1 + number % 20
            given = {"calls": (call,), "planner_latency_s": seconds}
            tally.add(RunSummary.model_validate({**run.model_dump(), **given}))

    spread(1_500, 1)
    before = kept(tally)
    spread(1_500, 2)
    assert kept(tally) < before * 1.05
    assert len(tally.refused) == MAX_TOOLS
    found = tally.report(unreadable=0, tenant=None)
    assert len(found.refused_tools) == TOP
    assert sum(each.count for each in found.refused_tools) + found.refused_others == 3_000


@pytest.mark.requirement("REP-3")
@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (0, 0, 0.0, 1.0)],
)
def test_an_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    found = share_of(count, of)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@pytest.mark.requirement("REP-3")
async def test_confidence_is_held_against_success_and_only_where_it_can_be() -> None:
    sure = [a_summary(confidence=0.95, adherence=1.0)] * 45 + [a_summary(confidence=0.95, adherence=0.5)] * 15
    edge = [a_summary(confidence=1.0), a_summary(confidence=0.0, status="failed")]
    left_out = [
        a_summary(source="edited"),
        a_summary(source="fallback", confidence=0.0),
        a_summary(status="cancelled"),
        a_summary(status="waiting"),
        a_summary(adherence=None),
        a_summary(source=None, confidence=None),
    ]
    check = (await report_of([*sure, *edge, *left_out])).confidence
    assert check.cases == 62
    first, last = check.bins
    assert (first.success.count, first.success.of, first.enough, first.low) == (0, 1, False, 0.0)
    assert (last.success.count, last.success.of, last.enough, last.high) == (46, 61, True, 1.0)
    distance = abs(61 * last.confidence - 46) + 0
    assert check.error == pytest.approx(distance / 62)
    few = (await report_of(edge)).confidence
    assert (few.cases, few.error) == (2, None)
    assert BINS == 10


@pytest.mark.requirement("REP-4")
@given(
    minutes=st.integers(1, 60 * 24 * 4_000),
    ago=st.lists(st.floats(0, 0.999), min_size=1, max_size=20),
)
def test_slots_are_few_follow_each_other_and_hold_each_run_once(minutes: int, ago: list[float]) -> None:
    since = NOW - timedelta(minutes=minutes)
    begun = sorted(since + (NOW - since) * part for part in ago)
    found = asyncio.run(report_of([a_summary(at) for at in begun], since=since))
    slots = found.slots
    assert 1 <= len(slots) <= MAX_SLOTS
    assert slots[0].begin <= found.since
    assert slots[-1].end == NOW
    assert all(one.end == other.begin for one, other in itertools.pairwise(slots))
    assert [slot.runs for slot in slots] == [
        sum(slot.begin <= at < slot.end for at in begun) for slot in slots
    ]


@pytest.mark.requirement("REP-4")
async def test_a_period_begins_with_the_first_run_of_all_where_that_is_later() -> None:
    first = NOW - timedelta(hours=5, minutes=7)
    found = await report_of([a_summary(first)], since=datetime(1, 1, 1, tzinfo=UTC))
    assert found.since == first
    assert len(found.slots) > 5
    assert (await report_of([a_summary(NOW + WEEK)])).runs == 0
    assert (await report_of([])).slots != ()


@pytest.mark.requirement("REP-5")
@pytest.mark.parametrize("count", [0, 1, 400])
async def test_the_page_loads_and_runs_nothing_and_says_what_the_report_says(count: int) -> None:
    found = await report_of([*mixed(count), Unreadable(run_id="x", seq=1)])
    page = Reading(report_page(found))
    check_harmless(page, links=False)
    said = page.text
    assert f"{count} run{'' if count == 1 else 's'}" in said
    assert "1 run of this journal cannot be read back" in said
    if count == 0:
        assert "No run began between 2026-11-17 15:20 UTC and 2026-11-24 15:20 UTC." in said
        assert "svg" not in page.tags
        return
    assert page.all("svg", "role").count("img") >= 6
    assert ("Too few to judge" in said or "Nothing to count" in said) == (count == 1)
    assert report_page(found) == report_page(found)


@pytest.mark.requirement("REP-5")
async def test_a_hostile_name_of_a_tool_stays_text() -> None:
    name = "<script>alert(1)</script>\u202e"
    call = {"tool": name, "status": "refused", "refusal": "unplanned_tool_blocked"}
    page = Reading(report_page(await report_of([a_summary(calls=(call,))])))
    check_harmless(page, links=False)
    assert "<script>alert(1)</script>⟨U+202E⟩" in page.texts
