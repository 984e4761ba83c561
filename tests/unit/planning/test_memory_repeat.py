"""Which remembered plan a task is a repeat of, and what a remembered plan weighs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planning_world import make_catalog, make_policy

from planwarden.contracts.memory import Origin, RememberedPlan, RememberedStep
from planwarden.contracts.task import Exchange, Task
from planwarden.planning.memory.key import normalised, repeat_key
from planwarden.planning.memory.port import bounded
from planwarden.planning.memory.repeat import cached_plan, repeated
from planwarden.planning.memory.weight import HALF_LIFE_DAYS, weight
from planwarden.planning.validate import PlanLimits

CATALOG, POLICY = make_catalog(), make_policy()
NOW = datetime(2026, 5, 4, tzinfo=UTC)
TASK = Task(prompt="What does it cost?", metadata={"desk": 4}, data=("/prices.csv",))
LIMITS = PlanLimits()


def remembered(task: Task = TASK, **given: Any) -> RememberedPlan:
    value: dict[str, Any] = {
        "id": "m1",
        "tenant": task.tenant,
        "conversation": task.conversation,
        "request": task.prompt,
        "repeat_key": repeat_key(task),
        "steps": (RememberedStep(agent="finance_agent", tools=("finance.snapshot",)),),
        "origin": "run",
        "catalog_digest": CATALOG.digest,
        "policy_digest": POLICY.digest,
        "at": NOW,
        "run_id": "r1",
    }
    return RememberedPlan(**{**value, **given})


def found(task: Task, *plans: RememberedPlan) -> str | None:
    plan = repeated(task, CATALOG, POLICY, plans)
    return plan.id if plan else None


@pytest.mark.requirement("MEM-3")
@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"prompt": "  What does\n it\tcost? "}, True),
        ({"prompt": "What does it cost"}, False),
        ({"prompt": "what does it cost?"}, False),
        ({"metadata": {}}, False),
        ({"metadata": {"desk": 5}}, False),
        ({"data": ()}, False),
        ({"data": ("/other.csv",)}, False),
        ({"tenant": "other"}, False),
        ({"conversation": "c1"}, True),
        ({"exchanges": (Exchange(role="user", content="Of IBM."),)}, False),
        ({"turns_left_out": 1}, False),
    ],
)
def test_a_repeat_has_the_same_request_metadata_data_and_tenant_and_nothing_to_lean_on(
    change: dict[str, Any], same: bool
) -> None:
    task = Task.model_validate({**TASK.model_dump(), **change})
    assert (found(task, remembered()) is not None) == same


@pytest.mark.requirement("MEM-3")
def test_letters_with_marks_are_the_same_however_they_are_put_together() -> None:
    assert normalised("Cafe\u0301 \u00a0 now") == normalised("Caf\u00e9 now")


@pytest.mark.requirement("MEM-3")
@given(st.text(min_size=1, max_size=60))
def test_a_normalised_request_is_normalised(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.requirement("MEM-3")
def test_a_repeat_is_none_under_another_catalog_or_policy() -> None:
    other = "sha256:" + "0" * 64
    assert found(TASK, remembered(catalog_digest=other)) is None
    assert found(TASK, remembered(policy_digest=other)) is None
    assert found(TASK, remembered(catalog_digest=None)) is None


@pytest.mark.requirement("MEM-3")
def test_a_plan_of_another_conversation_is_no_plan_for_this_one_even_when_it_is_handed_over() -> None:
    theirs = remembered(conversation="c1")
    assert found(TASK, theirs) is None
    assert found(TASK.model_copy(update={"conversation": "c2"}), theirs) is None
    assert found(TASK.model_copy(update={"conversation": "c1"}), theirs) == "m1"


@pytest.mark.requirement("MEM-3")
def test_what_a_person_said_goes_before_what_runs_taught_then_the_newest() -> None:
    day = timedelta(days=1)
    runs = remembered(id="m1"), remembered(id="m2", at=NOW + 9 * day)
    persons = (
        remembered(id="m3", origin="edit", at=NOW - 300 * day),
        remembered(id="m4", origin="example", at=NOW - 200 * day, run_id=None),
    )
    assert found(TASK, *runs) == "m2"
    assert found(TASK, *runs, persons[0]) == "m3"
    assert found(TASK, *persons, *runs) == "m4"
    assert found(TASK) is None


@pytest.mark.requirement("MEM-3")
def test_a_plan_whose_agents_nobody_knows_is_never_followed() -> None:
    bare = remembered(steps=(RememberedStep(agent=None, tools=("finance.snapshot",)),), origin="file")
    assert found(TASK, bare) is None


@pytest.mark.requirement("MEM-3")
def test_a_cached_plan_is_what_did_it_with_its_links_and_says_which_run_it_was() -> None:
    steps = (
        RememberedStep(agent="finance_agent", tools=("finance.snapshot",)),
        RememberedStep(agent="research_agent", tools=("research.search",)),
        RememberedStep(
            agent="finance_agent", tools=("finance.analytics",), fallback_tools=("finance.snapshot",),
            depends_on=(0, 1),
        ),
    )  # fmt: skip
    plan, refusals = cached_plan(remembered(steps=steps, handoff="parallel"), CATALOG, POLICY, LIMITS)
    assert plan is not None
    assert refusals == ()
    assert [step.depends_on for step in plan.steps] == [(), (), ("s1", "s2")]
    assert plan.steps[2].fallback_tools == ("finance.snapshot",)
    assert {step.reason for step in plan.steps} == {"as in run r1"}
    assert (plan.metadata.source, plan.metadata.handoff_strategy) == ("cached", "parallel")
    assert (plan.metadata.catalog_digest, plan.metadata.policy_digest) == (CATALOG.digest, POLICY.digest)
    assert (plan.confidence, plan.metadata.confidence_method.method) == (0.0, "none")


@pytest.mark.requirement("MEM-3")
def test_a_cached_plan_is_validated_anew() -> None:
    two = (
        RememberedStep(agent="finance_agent", tools=("finance.snapshot",)),
        RememberedStep(agent="research_agent", tools=("research.search",)),
    )
    plan, refusals = cached_plan(remembered(steps=two), CATALOG, POLICY, PlanLimits(max_agents=1))
    assert plan is None
    assert [(each.rung, each.reason) for each in refusals] == [("cache", "too_many_agents")]
    gone = remembered(steps=(RememberedStep(agent="finance_agent", tools=("ghost.tool",)),))
    plan, refusals = cached_plan(gone, CATALOG, POLICY, LIMITS)
    assert plan is None
    assert [(each.rung, each.reason) for each in refusals] == [("cache", "unknown_tool")]


@pytest.mark.requirement("MEM-3")
@pytest.mark.parametrize("steps", [(), (RememberedStep(agent="finance_agent", tools=("not a name!",)),)])
def test_what_is_no_plan_is_refused_and_raises_nothing(steps: tuple[RememberedStep, ...]) -> None:
    plan, refusals = cached_plan(remembered(steps=steps), CATALOG, POLICY, LIMITS)
    assert plan is None
    assert [(each.rung, each.reason) for each in refusals] == [("cache", "contract_broken")]


@pytest.mark.requirement("MEM-3")
def test_a_step_cannot_build_on_itself_or_a_later_one() -> None:
    with pytest.raises(ValueError, match="not an earlier one"):
        remembered(steps=(RememberedStep(agent="a", tools=("t",), depends_on=(0,)),))


@pytest.mark.requirement("MEM-2")
@pytest.mark.parametrize(
    ("origin", "age_days", "expected"),
    [
        ("run", 0, 1.0),
        ("file", 0, 1.0),
        ("example", 0, 2.0),
        ("edit", 0, 3.0),
        ("run", HALF_LIFE_DAYS, 0.5),
        ("edit", HALF_LIFE_DAYS, 1.5),
        ("run", 2 * HALF_LIFE_DAYS, 0.25),
        ("run", -30, 1.0),
    ],
)
def test_weight_is_origin_times_half_for_every_ninety_days(
    origin: Origin, age_days: float, expected: float
) -> None:
    plan = remembered(origin=origin, at=NOW - timedelta(days=age_days))
    assert weight(plan, NOW) == pytest.approx(expected)


@pytest.mark.requirement("MEM-2")
def test_a_plan_without_a_time_has_no_age() -> None:
    assert weight(remembered(origin="file", at=None), NOW) == 1.0


@pytest.mark.requirement("MEM-2")
@given(st.floats(0, 36_500), st.floats(0, 36_500))
def test_an_older_plan_never_weighs_more_and_none_weighs_nothing(age: float, more: float) -> None:
    older = weight(remembered(at=NOW - timedelta(days=age + more)), NOW)
    newer = weight(remembered(at=NOW - timedelta(days=age)), NOW)
    assert 0 < older <= newer <= 1


@pytest.mark.requirement("MEM-7")
def test_a_recall_over_the_bound_keeps_what_persons_taught_and_the_newest_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("planwarden.planning.memory.port.RECALLED", 3)
    runs = [remembered(id=f"m{n}", at=NOW + timedelta(days=n)) for n in range(1, 5)]
    edit = remembered(id="old", origin="edit", at=NOW)
    assert [plan.id for plan in bounded([edit, *runs])] == ["m4", "m3", "old"]
