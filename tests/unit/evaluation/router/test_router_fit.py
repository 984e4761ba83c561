"""Fitting the router: better than where it began, on tasks that it was not fitted on, the same each time."""

from __future__ import annotations

import pytest

from planwarden.catalog.catalog import build_catalog
from planwarden.contracts.specs import AgentSpec, ToolSpec
from planwarden.evaluation.calibration.tasks import CalibrationTask, Wanted
from planwarden.evaluation.router import fit
from planwarden.evaluation.router.fit import fit_router
from planwarden.evaluation.router.settings import RouterSettings
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy

pytestmark = pytest.mark.requirement("SHD-3")

THINGS = (
    "kettle",
    "bicycle",
    "violin",
    "ladder",
    "lantern",
    "compass",
    "hammer",
    "saddle",
    "anchor",
    "basket",
)
CLOSED: dict[str, object] = {"type": "object", "properties": {}, "additionalProperties": False}
CATALOG = build_catalog(
    (AgentSpec(name="general_agent", description="All.", tools=THINGS, may_answer_without_tools=True),),
    tuple(
        ToolSpec(name=thing, description=f"Repairs a {thing}", effect="read", parameters=CLOSED)
        for thing in THINGS
    ),
)
POLICY = ToolPolicy(
    agents={
        "general_agent": AgentPolicy(
            rules=(Rule(name="all", says="allow", tools=("*",)),), answer_without_tools=True
        )
    }
)


def chain(number: int) -> CalibrationTask:
    """Ask for two things, where the second always builds on the first."""
    first, second = THINGS[number % 10], THINGS[(number * 3 + 1) % 10]
    named = (first,) if first == second else (first, second)
    return CalibrationTask(
        id=f"t{number}",
        source="made",
        request=" and ".join(f"repair the {name}" for name in named),
        catalog=CATALOG,
        policy=POLICY,
        wanted=(
            Wanted(
                tools=named,
                agents=("general_agent",) * len(named),
                edges=((0, 1),) if len(named) == 2 else (),
            ),
        ),
    )


TASKS = tuple(map(chain, range(30)))


def test_the_knobs_that_the_tasks_call_for_are_found_and_the_figures_are_of_other_folds() -> None:
    record = fit_router(TASKS, at="2026-11-24")
    assert record.settings.handoff == "chain"
    assert (record.node_f1.mean, record.exact.mean, record.node_f1.count) == (1.0, 1.0, 30)
    assert record.agents is not None
    assert record.agents.mean == 1.0
    assert record.fitted_on == {"made": 30}
    assert record.tried > len(fit.GRID)
    assert fit_router(TASKS, at="2026-11-24") == record


def test_the_result_is_at_least_as_good_as_every_start_and_every_single_change_of_it() -> None:
    record = fit_router(TASKS, at="2026-11-24")
    bench = fit._Bench(fit._prepared(TASKS))  # pyright: ignore[reportPrivateUsage]
    best = bench.worth(record.settings, None)
    assert all(bench.worth(start, None) <= best for start in fit.STARTS)
    for knob, values in fit.GRID.items():
        for value in values:
            changed = record.settings.model_copy(update={knob: value})
            assert bench.worth(changed, None) <= best + 1e-9, (knob, value)


def test_every_value_that_is_tried_is_one_that_the_settings_take() -> None:
    assert set(fit.GRID) == set(RouterSettings.model_fields)
    for knob, values in fit.GRID.items():
        for value in values:
            assert getattr(RouterSettings.model_validate({knob: value}), knob) == value
