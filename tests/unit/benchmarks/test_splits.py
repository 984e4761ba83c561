from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import pytest
from benchmarks.planner.bench import MODES, Bench, Mode, Sizes, crossed
from benchmarks.planner.splits import Split, folds, request_key, without_each_source, without_groups
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.model import ModelUsage
from planwarden.evaluation.contestants import Attempted, Contestant, Plans
from planwarden.evaluation.plan_tasks import GoldPlan, GoldStep, OfferedTool, PlanTask, Prediction
from planwarden.llm.service import LLMService
from planwarden.planning.prior import PriorSource
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.ticking_clock import TickingClock

TOOL = OfferedTool(name="weather")


def task(task_id: str, source: str = "one", request: str | None = None) -> PlanTask:
    gold = GoldPlan(steps=(GoldStep(tool="weather"),))
    return PlanTask(
        id=task_id, source=source, request=request or f"about {task_id}", tools=(TOOL,), gold=gold
    )


def some_tasks() -> tuple[PlanTask, ...]:
    sources = ("one", "two", "three")
    return tuple(task(f"{source}-{n}", source) for source in sources for n in range(11))


@pytest.mark.requirement("BEN-3")
def test_folds_are_disjoint_judge_every_task_once_and_divide_each_source_evenly() -> None:
    tasks = some_tasks()
    splits = folds(tasks)
    assert sorted(each.id for split in splits for each in split.judged) == sorted(each.id for each in tasks)
    for split in splits:
        assert not {each.id for each in split.known} & {each.id for each in split.judged}
        assert len(split.known) + len(split.judged) == len(tasks)
        for source in ("one", "two", "three"):
            assert 2 <= sum(each.source == source for each in split.judged) <= 3
    for one, other in combinations(splits, 2):
        assert not {each.id for each in one.judged} & {each.id for each in other.judged}


@pytest.mark.requirement("BEN-3")
@given(st.lists(st.sampled_from(["a", "A ", "b", "b  c", "B C", "d", "e", "f"]), min_size=1, max_size=30))
def test_no_request_is_known_when_it_is_judged_however_it_is_spelt(requests: list[str]) -> None:
    tasks = [task(f"t{n}", f"s{n % 3}", request) for n, request in enumerate(requests)]
    for split in (*folds(tasks), *without_each_source(tasks)):
        assert not {request_key(each) for each in split.known} & {request_key(each) for each in split.judged}


@pytest.mark.requirement("BEN-3")
def test_a_source_left_out_is_nowhere_in_what_is_known_nor_are_its_requests_from_elsewhere() -> None:
    tasks = (*some_tasks(), task("copy", "two", "ABOUT  one-3"))
    splits = {split.name: split for split in without_each_source(tasks)}
    left_out = splits["without one"]
    assert {each.source for each in left_out.judged} == {"one"}
    assert {each.source for each in left_out.known} == {"two", "three"}
    assert "copy" not in {each.id for each in left_out.known}
    assert "copy" in {each.id for each in splits["without three"].known}


class Spy:
    """Remembers what each planner was fitted on, and what it then was asked."""

    def __init__(self) -> None:
        self.known: list[frozenset[str]] = []
        self.asked: list[tuple[int, Mode, str]] = []

    def fitted(self, known: Sequence[PlanTask]) -> SpyFitted:
        self.known.append(frozenset(each.id for each in known))
        return SpyFitted(self, len(self.known) - 1)

    def shipped(self, *, always_asks: bool = False) -> SpyFitted:
        raise NotImplementedError


class SpyFitted:
    def __init__(self, spy: Spy, number: int) -> None:
        self.spy, self.number = spy, number

    def source(self) -> PriorSource:
        raise NotImplementedError

    def planner(self, mode: Mode, llm: LLMService) -> Plans:
        raise NotImplementedError

    def contestant(self, mode: Mode, llm: LLMService) -> Contestant:
        return SpyContestant(self, mode)


class SpyContestant:
    def __init__(self, fitted: SpyFitted, mode: Mode) -> None:
        self.fitted = fitted
        self.mode: Mode = mode

    async def attempt(self, task: PlanTask) -> Attempted:
        self.fitted.spy.asked.append((self.fitted.number, self.mode, task.id))
        right = Prediction(id=task.id, steps=(GoldStep(tool="weather"),))
        return Attempted(prediction=right, usage=ModelUsage(), seconds=0.0, source=self.mode)


@pytest.mark.anyio
@pytest.mark.requirement("BEN-3")
@pytest.mark.parametrize("split", [folds, without_each_source])
async def test_no_planner_is_asked_what_it_was_fitted_on_and_models_only_see_the_sample(
    split: Callable[[Sequence[PlanTask]], Sequence[Split]],
) -> None:
    tasks, spy = some_tasks(), Spy()
    with ScriptedLLM() as llm:
        bench = Bench(
            tasks=tasks,
            sizes=Sizes.read({}),
            llm=llm,
            makes=spy,
            clock=TickingClock(),
            tell=lambda _: None,
        )
        sample = frozenset({"one-1", "two-2", "three-3"})
        found = await crossed(bench, split(tasks), sample)
    assert all(asked not in spy.known[number] for number, _, asked in spy.asked)
    assert {asked for _, mode, asked in spy.asked if mode == "prior"} == {each.id for each in tasks}
    for mode in MODES[1:]:
        assert {each.task.id for each in found.judged[mode]} == sample
    assert set(found.fold) == {each.id for each in tasks}


@pytest.mark.requirement("BEN-9")
def test_one_cap_makes_every_part_a_slice_and_each_size_can_be_set_alone() -> None:
    whole, slice_ = Sizes.read({}), Sizes.read({"PLANWARDEN_BENCH_TASKS": "20"})
    assert (whole.model_tasks, whole.bare) == (300, 60)
    assert (slice_.tasks, slice_.model_tasks, slice_.hostile, slice_.bare) == (20, 20, 20, 2)
    assert Sizes.read({"PLANWARDEN_BENCH_TASKS": "20", "PLANWARDEN_BENCH_BARE": "7"}).bare == 7


@pytest.mark.requirement("BEN-13")
def test_a_group_of_catalogs_is_judged_without_its_tasks_and_without_their_requests_from_elsewhere() -> None:
    tasks = some_tasks()
    elsewhere = (task("copy", "dev", "ABOUT  one-3"), task("other", "dev"))
    splits = without_groups(tasks, elsewhere, 2)
    assert [sorted({each.source for each in split.judged}) for split in splits] == [["one", "three"], ["two"]]
    assert sorted(each.id for split in splits for each in split.judged) == sorted(each.id for each in tasks)
    for split in splits:
        assert not {each.source for each in split.known} & {each.source for each in split.judged}
    assert {each.id for each in splits[0].known} == {each.id for each in tasks if each.source == "two"} | {
        "other"
    }
    assert {"copy", "other"} < {each.id for each in splits[1].known}
