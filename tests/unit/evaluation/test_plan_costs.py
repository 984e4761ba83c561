from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.model import ModelUsage
from planwarden.contracts.plan import PlanDecision, PlanMetadata, PlannedAgentStep, PlannerPlan
from planwarden.contracts.task import Task
from planwarden.errors import ReplyIncomplete
from planwarden.evaluation.contestants import (
    Attempted,
    BareJsonContestant,
    PlannerContestant,
    prediction_of,
)
from planwarden.evaluation.intervals import Spread, mean_spread, paired_estimate, spread_of
from planwarden.evaluation.plan_benchmark import Judged, difference, summarise
from planwarden.evaluation.plan_scores import score_plan
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, OfferedTool, PlanTask, Prediction
from planwarden.evaluation.remembered import memory_id, remembered_plans, without_itself
from planwarden.planning.planner import Planning
from planwarden.policy.rules import ToolPolicy
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.ticking_clock import TickingClock

TOOLS = (OfferedTool(name="weather"), OfferedTool(name="first aid"))


def task(task_id: str, source: str = "one", request: str = "How is it?", *gold: str) -> PlanTask:
    steps = tuple(GoldStep(tool=tool) for tool in gold or ("weather",))
    plan = GoldPlan(steps=steps, edges=tuple((n, n + 1) for n in range(len(steps) - 1)))
    return PlanTask(id=task_id, source=source, request=request, tools=TOOLS, gold=plan)


def judged(each: PlanTask, seconds: float = 1.0, cached: int = 0, *tools: str) -> Judged:
    said = Prediction(id=each.id, steps=tuple(GoldStep(tool=tool) for tool in tools))
    usage = ModelUsage(prompt_tokens=100, cached_tokens=cached)
    attempted = Attempted(
        prediction=said, usage=usage, seconds=seconds, source="planner", index_seconds=2 * seconds
    )
    return Judged(task=each, attempted=attempted, score=score_plan(each, said))


def plan(*steps: PlannedAgentStep) -> PlannerPlan:
    return PlannerPlan(steps=steps, metadata=PlanMetadata(source="planner"))


@pytest.mark.requirement("BEN-1")
def test_seconds_and_tokens_come_with_quartiles_and_macro_weighs_every_source_alike() -> None:
    one = [judged(task(f"a{n}"), seconds=float(n), cached=10 * n) for n in range(1, 6)]
    two = [judged(task("b", "two"), seconds=9.0)]
    by_name = {each.name: each.cost for each in summarise([*one, *two])}
    assert by_name["one"].seconds == Spread(3.0, 2.0, 4.0)
    assert by_name["one"].index_seconds.median == 6.0
    assert by_name["one"].cached_tokens == Spread(30.0, 20.0, 40.0)
    assert by_name["two"].seconds == Spread(9.0, 9.0, 9.0)
    assert by_name["macro"].seconds == Spread(6.0, 5.5, 6.5)
    assert by_name["all"].prompt_tokens.median == 100.0
    assert mean_spread([spread_of([1.0]), spread_of([3.0])]).median == 2.0


class SlowToIndex:
    """Takes a tick for everything, so that a clock shows what was inside which measurement."""

    def __init__(self, clock: TickingClock) -> None:
        self.clock = clock
        self.remembered: list[Sequence[RememberedPlan]] = []

    def prepare(self, catalog: Catalog) -> None:
        for _ in range(50):
            self.clock.monotonic()

    async def plan(
        self,
        task: Task,
        catalog: Catalog,
        policy: ToolPolicy,
        remembered: Sequence[RememberedPlan] = (),
    ) -> Planning:
        self.remembered.append(remembered)
        step = PlannedAgentStep(id="s1", agent="general_agent", tools=("weather",))
        return Planning(decision=PlanDecision(plan=plan(step)), exchanges=())


@pytest.mark.anyio
@pytest.mark.requirement("BEN-1")
async def test_indexing_a_tasks_tools_is_timed_apart_from_its_plan() -> None:
    clock = TickingClock()
    contestant = PlannerContestant(planner=SlowToIndex(clock), clock=clock)
    found = await contestant.attempt(task("a"))
    assert found.index_seconds >= 50 * found.seconds
    assert found.plan is not None
    assert found.prediction.tools == ("weather",)


@pytest.mark.requirement("BEN-1")
def test_a_dependency_is_one_link_from_the_last_tool_before_to_the_first_after() -> None:
    steps = (
        PlannedAgentStep(id="s1", agent="a", tools=("x", "y")),
        PlannedAgentStep(id="s2", agent="a"),
        PlannedAgentStep(id="s3", agent="a", tools=("z", "w"), depends_on=("s1", "s2")),
    )
    made = prediction_of("t", plan(*steps), {name: name.upper() for name in "xyzw"})
    assert made.tools == ("X", "Y", "Z", "W")
    assert made.edges == ((1, 2),)


@pytest.mark.requirement("BEN-2")
def test_gold_plans_are_remembered_under_the_names_that_a_catalog_allows() -> None:
    (made,) = remembered_plans([task("a", "one", "Help!", "first aid", "weather")])
    assert [step.tools for step in made.steps] == [("first_aid",), ("weather",)]
    assert [step.depends_on for step in made.steps] == [(), (0,)]
    assert (made.origin, made.request) == ("file", "Help!")
    empty = task("b").model_copy(update={"gold": GoldPlan(steps=())})
    long = task("c", "one", "Long", *["weather"] * 13)
    back = task("d").model_copy(
        update={"gold": GoldPlan(steps=(GoldStep(tool="a"), GoldStep(tool="b")), edges=((1, 0),))}
    )
    assert remembered_plans([empty, long, back]) == ()


@pytest.mark.anyio
@pytest.mark.requirement("BEN-2")
async def test_a_task_never_remembers_itself_nor_the_same_request_in_another_spelling() -> None:
    same = task("b", "two", "HOW  is it? ")
    renamed = task("a", "two", "Something else")
    other = task("c", "two", "How was it?")
    known = remembered_plans([same, renamed, other])
    assert [each.id for each in without_itself(task("a"), known)] == [memory_id(other)]
    planner = SlowToIndex(TickingClock())
    contestant = PlannerContestant(planner=planner, clock=TickingClock(), remembered=known)
    await contestant.attempt(task("a"))
    assert [each.id for each in planner.remembered[0]] == [memory_id(other)]


@pytest.mark.anyio
@pytest.mark.requirement("BEN-4")
async def test_a_reply_that_was_cut_at_its_limit_cost_what_it_cost() -> None:
    cut = ReplyIncomplete("Cut.", remedy="More.", prompt_tokens=3_000, output_tokens=512)
    with ScriptedLLM(cut) as llm:
        found = await BareJsonContestant(llm=llm, clock=TickingClock()).attempt(task("a"))
    assert (found.usage.prompt_tokens, found.usage.output_tokens) == (3_000, 512)
    assert found.source == "none"
    assert cut.saying("Cut. Tried twice.").output_tokens == 512


@pytest.mark.requirement("BEN-12")
def test_what_one_adds_to_another_is_the_mean_of_the_differences_task_by_task() -> None:
    tasks = [task("a"), task("b"), task("c", "two")]
    before = [judged(each, 1.0, 0) for each in tasks]
    after = [judged(each, 1.0, 0, "weather") for each in tasks[:2]] + [judged(tasks[2])]
    found = difference(before, after[::-1], "node_f1")
    assert found is not None
    assert (round(found.mean, 6), found.count) == (0.666667, 3)
    macro = difference(before, after, "node_f1", macro=True)
    assert macro is not None
    assert macro.mean == 0.5
    assert difference(before, after, "edge_f1") is None
    with pytest.raises(KeyError):
        difference(before, after[:1], "node_f1")


@pytest.mark.requirement("BEN-12")
def test_pairing_takes_out_what_makes_a_task_hard() -> None:
    """Scores vary widely from task to task, the gain does not: the paired interval is narrow."""
    pairs = [(n / 100, n / 100 + 0.1) for n in range(90)]
    found = paired_estimate({"": pairs})
    assert 0.0999 < found.low <= found.high < 0.1001


@pytest.mark.requirement("BEN-1")
@given(st.lists(st.tuples(st.sampled_from((0.0, 0.5, 1.0)), st.sampled_from((0.0, 0.5, 1.0))), min_size=1))
def test_the_interval_of_a_difference_is_mirrored_when_its_sides_are_swapped(
    pairs: list[tuple[float, float]],
) -> None:
    there = paired_estimate({"": pairs}, resamples=200)
    back = paired_estimate({"": [(second, first) for first, second in pairs]}, resamples=200)
    assert (back.mean, back.low, back.high) == (-there.mean, -there.high, -there.low)
