"""In which steps two plans differ."""

from __future__ import annotations

import pytest

from planwarden.app.archive.replay import differences
from planwarden.contracts.plan import PlannedAgentStep, PlannerPlan
from planwarden.testing.stage import plan_of

pytestmark = pytest.mark.requirement("IDX-4")


def step(step_id: str = "s1", **given: object) -> PlannedAgentStep:
    return PlannedAgentStep.model_validate({"id": step_id, "agent": "worker", "tools": ("look",)} | given)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (plan_of(step()), plan_of(step(confidence=0.3, reason="else")), ()),
        (None, None, ()),
        (plan_of(step()), None, ("there then, not there now",)),
        (plan_of(step()), plan_of(step(tools=("seek", "look"))), ("s1.tools: look then, seek, look now",)),
        (plan_of(step()), plan_of(step(agent="other")), ("s1.agent: worker then, other now",)),
        (
            plan_of(step(), step("s2", depends_on=("s1",))),
            plan_of(step(), step("s2"), handoff="parallel"),
            ("handoff_strategy: sequential then, parallel now", "s2.depends_on: s1 then, none now"),
        ),
        (plan_of(step()), plan_of(step(), step("s2")), ("s2: not there then, there now",)),
    ],
)
def test_plans_differ_in_what_would_be_done_and_in_nothing_else(
    before: PlannerPlan | None, now: PlannerPlan | None, told: tuple[str, ...]
) -> None:
    assert differences(before, now) == told
