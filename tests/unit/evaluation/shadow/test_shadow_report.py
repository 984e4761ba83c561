"""What a shadow run says in the end, also where the baseline wins and where nothing can be told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shadow_made import said, sketch, task

from planwarden.contracts.shadow import PlanSketch, ShadowPlan
from planwarden.evaluation.shadow.compare import Compared, compare
from planwarden.evaluation.shadow.report.contract import Price, ShadowReport
from planwarden.evaluation.shadow.report.page import shadow_page
from planwarden.evaluation.shadow.report.summary import summarise_shadow
from planwarden.evaluation.shadow.report.verdict import LEAST_KNOWN
from planwarden.evaluation.shadow.sides import RecordedSide
from planwarden.evaluation.shadow.task import ShadowTask


class Elements(HTMLParser):
    """The elements of a page, and which of their attributes lead out of it."""

    def __init__(self) -> None:
        super().__init__()
        self.leading_out: list[tuple[str, str]] = []

    @classmethod
    def of(cls, page: str) -> Elements:
        elements = cls()
        elements.feed(page)
        return elements

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        outward = {"src", "href", "action", "srcset", "data", "poster"}
        self.leading_out += [(tag, name) for name, _ in attrs if name in outward or name.startswith("on")]


RIGHT, WRONG = sketch("worker/look"), sketch("worker/seek")
PLANNER, ROUTER = (
    RecordedSide(name="planner", describes="a model"),
    RecordedSide(name="router", describes="BM25"),
)


def pairs(ours: Sequence[PlanSketch | None], theirs: Sequence[PlanSketch | None]) -> list[Compared]:
    return [
        Compared(
            task=task(f"t{number}", "look"),
            first=said(one, seconds=2.0, tokens=(1_000, 100)),
            second=said(other, seconds=0.5),
        )
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True))
    ]


def reported(
    compared: Sequence[Compared], *, alone: bool = False, price: Price | None = None
) -> ShadowReport:
    second = None if alone else (ROUTER, Price())
    return summarise_shadow(
        compared, (PLANNER, price or Price()), second, left_out={"damaged": 1, "erased": 0}
    )


@pytest.mark.requirement("SHD-5")
def test_the_planner_wins_where_its_tools_are_nearer_beyond_doubt_and_the_sentence_says_what_it_costs() -> (
    None
):
    verdict = reported(pairs([RIGHT] * 30, [WRONG] * 20 + [RIGHT] * 10)).verdict
    assert verdict.winner == "first"
    assert verdict.sentence.startswith("planner plans better than router: F1 of the tools 1.000")
    assert "on 30 tasks" in verdict.sentence
    assert "takes 1.500 s more (medians) and 1100 tokens more (mean)." in verdict.sentence


@pytest.mark.requirement("SHD-5")
def test_the_router_wins_as_plainly() -> None:
    verdict = reported(pairs([WRONG] * 20 + [RIGHT] * 10, [RIGHT] * 30)).verdict
    assert verdict.winner == "second"
    assert verdict.sentence.startswith("router plans better than planner")
    assert "takes 1.500 s less (medians) and 1100 tokens less (mean)." in verdict.sentence


@pytest.mark.requirement("SHD-5")
def test_where_the_interval_holds_0_nothing_is_told_and_where_it_is_narrow_the_cheaper_one_will_do() -> None:
    unclear = reported(pairs([RIGHT] * 12 + [WRONG] * 10, [WRONG] * 10 + [RIGHT] * 12)).verdict
    assert unclear.winner == "untold"
    assert unclear.sentence.startswith("It cannot be told which plans better")
    same = reported(pairs([RIGHT] * 30, [RIGHT] * 30)).verdict
    assert same.winner == "neither"
    assert same.sentence.endswith("Then the cheaper one will do: router.")


@pytest.mark.requirement("SHD-5")
def test_too_few_tasks_with_a_known_right_plan_tell_nothing_however_clear_they_look() -> None:
    few = reported(pairs([RIGHT] * (LEAST_KNOWN - 1), [WRONG] * (LEAST_KNOWN - 1))).verdict
    assert few.winner == "untold"
    assert f"{LEAST_KNOWN - 1} tasks with a known right plan are too few" in few.sentence
    unknown = [Compared(task=task("t"), first=said(RIGHT), second=said(WRONG))]
    report = reported(unknown)
    assert report.verdict.winner == "untold"
    assert "no task has a known right plan" in report.verdict.sentence
    assert "the same plan for 0% of the tasks" in report.verdict.sentence
    assert report.differences[0].right == "unknown"


@pytest.mark.requirement("SHD-5")
def test_runs_that_only_ran_as_planned_are_shown_and_never_decide() -> None:
    ran = [
        Compared(task=task(f"t{number}", "look", evidence="ran"), first=said(RIGHT), second=said(WRONG))
        for number in range(40)
    ]
    report = reported(ran)
    assert report.verdict.winner == "untold"
    [known] = report.known
    assert (known.evidence, known.counts, known.tasks) == ("ran", False, 40)
    assert known.gain is not None
    assert known.gain["tools_f1"].mean == 1.0


@pytest.mark.requirement("SHD-5")
def test_a_planner_beside_nobody_is_described_and_not_judged() -> None:
    alone = [Compared(task=task("t", "look"), first=said(RIGHT), second=None)]
    report = reported(alone, alone=True)
    assert (report.second, report.agreement, report.verdict.winner) == (None, {}, "untold")
    assert report.known[0].first["right"].mean == 1.0
    assert report.known[0].second is None


@pytest.mark.requirement("SHD-14")
def test_validity_latency_tokens_and_cost_are_told_for_each_side() -> None:
    broken = ShadowPlan(
        sketch=RIGHT, source="planner", issues=("unknown_tool",), refusals=("parse/not_json",)
    )
    compared = pairs([RIGHT] * 3 + [None], [RIGHT] * 4)
    compared[0] = Compared(task=compared[0].task, first=broken, second=compared[0].second)
    report = reported(compared, price=Price(tokens_in=2.0, tokens_out=10.0))
    ours, theirs = report.first, report.second
    assert theirs is not None
    assert (ours.valid.mean, theirs.valid.mean) == (0.5, 1.0)
    assert ours.issues == {"unknown_tool": 1}
    assert ours.sources == {"planner": 3, "none": 1}
    assert (ours.total_prompt_tokens, ours.total_output_tokens) == (3_000, 300)
    assert ours.cost == pytest.approx(0.009)
    assert theirs.cost == 0.0
    assert ours.seconds is not None
    assert (ours.seconds.median, ours.prompt_tokens.median) == (2.0, 1_000)
    assert report.tasks.left_out == {"damaged": 1}
    assert "2 of 4 plans of planner may not be followed" in report.verdict.sentence


@pytest.mark.requirement("SHD-5")
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_swapping_the_sides_swaps_the_verdict(right: list[tuple[bool, bool]]) -> None:
    ours = [RIGHT if one else WRONG for one, _ in right]
    theirs = [RIGHT if other else WRONG for _, other in right]
    there, back = reported(pairs(ours, theirs)), reported(pairs(theirs, ours))
    swapped = {"first": "second", "second": "first"}
    assert back.verdict.winner == swapped.get(there.verdict.winner, there.verdict.winner)


@pytest.mark.anyio
@pytest.mark.requirement("SHD-10")
async def test_the_sides_take_turns_and_a_task_without_a_plan_on_record_is_left_out() -> None:
    asked: list[str] = []

    class Telling:
        describes = "tells"

        def __init__(self, name: str) -> None:
            self.name = name

        async def plan(self, task: ShadowTask) -> ShadowPlan | None:
            asked.append(f"{self.name} {task.id}")
            return None if (self.name, task.id) == ("a", "t2") else said(RIGHT)

    tasks = [task("t0"), task("t1"), task("t2")]
    heard: list[Compared] = []
    found = await compare(tasks, Telling("a"), Telling("b"), heard.append)
    assert asked == ["a t0", "b t0", "b t1", "a t1", "a t2", "b t2"]
    assert [pair.task.id for pair in found] == ["t0", "t1"]
    assert tuple(heard) == found


@pytest.mark.requirement("SHD-11")
def test_the_page_is_one_file_without_scripts_or_anything_from_outside_and_shows_names_as_text() -> None:
    compared = pairs([RIGHT] * 30, [WRONG] * 30)
    hostile = RecordedSide(name="<script>alert(1)</script>", describes='"><img src=http://x>')
    report = summarise_shadow(compared, (hostile, Price()), (ROUTER, Price()), left_out={"damaged": 2})
    page = shadow_page(report)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert not Elements.of(page).leading_out
    assert not re.search(r"@import|url\(", page)
    assert "prefers-color-scheme: dark" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    for shown in (
        "router",
        "F1 of the tools",
        "2 (damaged)",
        "t29" if report.differing < 20 else "t19",
        "look",
    ):
        assert shown in page
    alone = summarise_shadow(
        [Compared(task=task("t"), first=said(None), second=None)], (PLANNER, Price()), None, left_out={}
    )
    assert "<svg" not in shadow_page(alone)
