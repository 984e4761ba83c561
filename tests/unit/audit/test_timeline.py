"""A run in time: spans at their real places, pauses folded, parallel steps beside each other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from dossier_scenes import SCENES, approved_then_in_doubt, crashed_and_resumed, parallel, settled
from hypothesis import example, given
from hypothesis import strategies as st

from planwarden.audit.page.axis import make_axis
from planwarden.audit.timeline import timeline
from planwarden.contracts.event import RunEvent
from planwarden.testing.ticking_clock import BEGINNING

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("HTM-5")
async def test_steps_that_ran_together_overlap_and_one_that_builds_on_them_does_not() -> None:
    found = (await parallel()).timeline
    steps = {span.ref: span for span in found.spans if span.kind == "step"}
    assert list(steps) == ["s1", "s2", "s3", "s4"]
    last_begun = max(steps[name].begin_s for name in ("s1", "s2", "s3"))
    assert all(steps[name].end_s > last_begun for name in ("s1", "s2", "s3"))
    assert steps["s4"].begin_s >= max(steps[name].end_s for name in ("s1", "s2", "s3"))


@pytest.mark.requirement("HTM-5")
@pytest.mark.parametrize("name", list(SCENES))
async def test_calls_and_exchanges_lie_within_the_run_and_within_their_step(name: str) -> None:
    scene = await SCENES[name][0]()
    spans, length = scene.timeline.spans, scene.timeline.length_s
    assert all(0 <= span.begin_s <= span.end_s <= length for span in spans)
    steps = {span.ref: span for span in spans if span.kind == "step"}
    for span in spans:
        if span.kind in ("call", "exchange"):
            assert span.step is not None
            assert steps[span.step].begin_s - 0.01 <= span.begin_s
            assert span.end_s <= steps[span.step].end_s
    took = {call.id: call.duration_s for call in scene.dossier.calls if call.status == "returned"}
    placed = {
        span.ref: span.end_s - span.begin_s for span in spans if span.kind == "call" and span.end == "done"
    }
    for call, length_s in placed.items():
        assert length_s == pytest.approx(took[call], rel=0.25)
    asked = [span for span in spans if span.kind in ("planning", "exchange")]
    assert len(asked) == scene.dossier.model_calls


@pytest.mark.requirement("HTM-5")
async def test_waiting_for_a_person_takes_its_time_and_a_doubt_has_its_end_when_it_is_settled() -> None:
    waits = [span for span in (await approved_then_in_doubt()).timeline.spans if span.kind == "waiting"]
    assert [(span.label, span.end) for span in waits] == [
        ("approval of mail.send", "done"),
        ("outcome in doubt", "open"),
    ]
    assert waits[0].end_s - waits[0].begin_s == pytest.approx(7_380, abs=1)
    (doubt,) = [span for span in (await settled()).timeline.spans if span.kind == "waiting"]
    assert (doubt.end, doubt.ref) == ("done", "s1.1")
    assert doubt.end_s - doubt.begin_s == pytest.approx(3 * 86_400, abs=1)


@pytest.mark.requirement("HTM-5")
async def test_a_call_that_a_crash_cut_off_has_no_end_of_its_own_and_its_repetition_has() -> None:
    found = (await crashed_and_resumed()).timeline
    first, second = [span for span in found.spans if span.ref == "s1.1" and span.kind == "call"]
    assert first.end in ("open", "in_doubt")
    assert (second.end, second.begin_s >= first.end_s) == ("done", True)


@pytest.mark.requirement("HTM-5")
async def test_a_clock_that_was_set_back_stands_still_and_no_events_are_no_time() -> None:
    scene = await parallel()
    assert timeline(()).spans == ()
    start = scene.dossier.started_at
    events = [
        RunEvent.model_validate(
            {
                "run_id": "r",
                "seq": seq,
                "at": start + timedelta(seconds=at),
                "epoch": 1,
                "fact": {"kind": "run_taken_over", "owner": "o", "catalog_digest": scene.dossier.head,
                         "policy_digest": scene.dossier.head},
            }
        )
        for seq, at in ((1, 0), (2, 5), (3, -9), (4, 6))
    ]  # fmt: skip
    assert [mark.at_s for mark in timeline(events).marks] == [0, 5, 5, 6]
    assert start.date() == BEGINNING.date()


moments = st.floats(0, 1e6, allow_nan=False, width=32)
busy_times = st.lists(st.tuples(moments, moments).map(lambda pair: (min(pair), max(pair))), max_size=12)


@pytest.mark.requirement("HTM-6")
@given(busy=busy_times, more=moments)
@example(busy=[(0.0, 1e-320)], more=0.0)
@example(busy=[(0.0, 1e-40)], more=5e5)
def test_the_axis_keeps_order_and_stays_within_its_width(
    busy: list[tuple[float, float]], more: float
) -> None:
    length = max([more, *(end for _, end in busy)])
    axis = make_axis(busy, length, x=100.0, width=800.0)
    at = sorted({0.0, length, *(edge for pair in busy for edge in pair)})
    places = [axis.place(each) for each in at]
    assert places == sorted(places)
    assert all(100.0 - 1e-6 <= place <= 900.0 + 1e-6 for place in places)
    assert all(100.0 - 1e-6 <= x <= 900.0 + 1e-6 for x, _, _ in axis.ticks())
    assert len(list(axis.ticks())) <= 16


@pytest.mark.requirement("HTM-6")
def test_a_long_pause_is_folded_and_what_is_left_is_true_to_scale() -> None:
    axis = make_axis([(0.0, 2.0), (7_200.0, 7_201.0)], 7_201.0, x=0.0, width=654.0)
    assert [stretch.folded for stretch in axis.stretches] == [False, True, False]
    first, pause, last = axis.stretches
    assert pause.end_s - pause.begin_s == pytest.approx(7_198)
    assert first.width == pytest.approx(2 * last.width)
    assert axis.place(1.0) == pytest.approx(first.width / 2)
    ticks = list(axis.ticks())
    assert (ticks[0][1:], ticks[-1][1]) == ((False, 0.0), True)
    whole = make_axis([(0.0, 2.0), (2.5, 4.0)], 4.0, x=0.0, width=400.0)
    assert [stretch.folded for stretch in whole.stretches] == [False]
