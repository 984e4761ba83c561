from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from planwarden.evaluation.calibration.logistic import fit_logistic
from planwarden.evaluation.calibration.worth import LEAST_TASKS, Observation, find_worth

pytestmark = pytest.mark.requirement("CAL-3")


def observed(model_knows: float, *, tasks: int = 150, prior_knows: float = 1.0) -> list[list[Observation]]:
    """Make choices of which prior and model know so much: the mean of their log-odds for what is right."""
    random = Random(11)

    def said(knows: float, right: bool) -> float:
        return 1 / (1 + math.exp(-((knows if right else -knows) + random.gauss(0, 1.2))))

    def choice() -> Observation:
        right = random.random() < 0.3
        return Observation(prior=said(prior_knows, right), model=said(model_knows, right), right=right)

    return [[choice() for _ in range(8)] for _ in range(tasks)]


def test_a_model_that_returns_garbage_weighs_nothing() -> None:
    worth = find_worth(observed(0.0))
    assert (worth.helps, worth.whole.model) == (False, 0.0)
    assert (worth.whole.prior, worth.whole.bias) == (1.0, 0.0)
    assert worth.gain is not None
    assert worth.gain.low <= 0


def test_a_model_that_says_the_contrary_of_what_is_right_is_never_believed_backwards() -> None:
    worth = find_worth(observed(-2.0))
    assert (worth.helps, worth.whole.model) == (False, 0.0)


def test_the_more_a_model_knows_the_more_it_weighs() -> None:
    some, much = find_worth(observed(0.5)), find_worth(observed(3.0))
    assert some.helps
    assert much.helps
    assert 0.1 < some.whole.model < much.whole.model
    assert much.whole.model > 0.9
    assert len(much.held_out) == 5
    assert all(each.model > 0.9 for each in much.held_out)


def test_a_model_that_repeats_the_prior_weighs_nothing() -> None:
    same = [[Observation(prior=o.prior, model=o.prior, right=o.right) for o in own] for own in observed(0.0)]
    assert find_worth(same).whole.model == 0.0


def test_on_too_few_tasks_nothing_can_be_shown() -> None:
    worth = find_worth(observed(3.0, tasks=LEAST_TASKS - 1))
    assert (worth.helps, worth.gain, worth.whole.model) == (False, None, 0.0)


def test_a_model_whose_plans_came_out_worse_is_not_heard_though_its_gain_is_still_told() -> None:
    worth = find_worth(observed(3.0), heard=False)
    assert (worth.helps, worth.whole.model) == (False, 0.0)
    assert worth.gain is not None
    assert worth.gain.low > 0


def test_the_logistic_fit_has_no_slope_left_and_holds_what_may_not_be_negative() -> None:
    random = np.random.default_rng(3)
    inputs = np.column_stack([random.normal(size=(400, 2)), np.ones(400)])
    truth = np.array([1.5, -1.0, 0.3])
    labels = (random.random(400) < 1 / (1 + np.exp(-inputs @ truth))).astype(float)
    found = fit_logistic(inputs, labels, np.zeros(3), ridge=0.5)
    slope = inputs.T @ (1 / (1 + np.exp(-inputs @ found)) - labels) + 0.5 * found
    assert np.abs(slope).max() < 1e-3
    assert found == pytest.approx(truth, abs=0.4)
    held = fit_logistic(inputs, labels, np.zeros(3), ridge=0.5, at_least_zero=(0, 1))
    assert held[1] == 0.0
    assert held[0] > 0
