"""Forests evaluated in NumPy give what LightGBM itself gives; they are stored and read as they are."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from planwarden.planning.learning.growing import MAX_DEPTH, UNTAUGHT, Growth, grow
from planwarden.planning.learning.logistic import fit_logistic
from planwarden.planning.ranking.forest import Forest, read_forest

pytestmark = pytest.mark.requirement("RANK-6")

RANDOM = np.random.default_rng(7)
ROWS = np.hstack(
    [
        RANDOM.integers(0, 4, (700, 3)).astype(np.float32),  # ties: values that are thresholds too
        RANDOM.normal(size=(700, 3)).astype(np.float32),
        RANDOM.choice(np.array([0.1, 0.2, 1 / 3, 1e-20], np.float32), (700, 2)),
    ]
)
RIGHT = (ROWS[:, 0] + ROWS[:, 3] + (ROWS[:, 6] > 0.15) + RANDOM.normal(size=700) * 0.3) > 2.5
GROWTH = Growth(trees=50, leaves=15, least_rows=10, rate=0.1, seeds=(1, 2))


def by_lightgbm(rows: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Give LightGBM's own probabilities, its runs averaged by logit."""
    light: Any = importlib.import_module("lightgbm")
    logits: list[Any] = []
    for seed in GROWTH.seeds:
        options = {
            "objective": "binary", "learning_rate": GROWTH.rate, "num_leaves": GROWTH.leaves,
            "max_depth": MAX_DEPTH, "min_data_in_leaf": GROWTH.least_rows, "feature_fraction": 0.5,
            "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5.0, "verbose": -1, "num_threads": 1,
            "seed": seed, "deterministic": True, "force_row_wise": True,
        }  # fmt: skip
        model = light.train(options, light.Dataset(ROWS, RIGHT.astype(int)), GROWTH.trees)
        logits.append(model.predict(rows, raw_score=True))
    return 1.0 / (1.0 + np.exp(-np.mean(logits, axis=0)))


@pytest.fixture(scope="module")
def forest() -> Forest:
    return grow(ROWS, RIGHT, GROWTH)


def test_a_forest_says_what_lightgbm_says_ties_at_thresholds_included(forest: Forest) -> None:
    at_thresholds = np.repeat(forest.threshold[forest.feature >= 0][:200, None], ROWS.shape[1], axis=1)
    beside = np.nextafter(at_thresholds, np.float32(np.inf))
    rows = np.vstack([ROWS, at_thresholds, beside]).astype(np.float32)
    assert np.abs(forest.probability(rows) - by_lightgbm(rows)).max() < 1e-6


def test_a_forest_learned_the_rule(forest: Forest) -> None:
    assert ((forest.probability(ROWS) > 0.5) == RIGHT).mean() > 0.9


def test_no_rows_have_no_probabilities(forest: Forest) -> None:
    assert forest.probability(ROWS[:0]).tolist() == []


def test_growing_is_deterministic(forest: Forest) -> None:
    again = grow(ROWS, RIGHT, GROWTH)
    assert all((array == again.arrays("f")[name]).all() for name, array in forest.arrays("f").items())


def test_where_there_is_nothing_to_learn_from_everything_is_unlikely() -> None:
    said = grow(ROWS[:0], RIGHT[:0], GROWTH).probability(ROWS[:3])
    assert said == pytest.approx(1 / (1 + np.exp(-UNTAUGHT)))


def test_a_forest_is_read_as_it_was_stored(forest: Forest) -> None:
    read = read_forest(forest.arrays("f"), "f")
    assert (read.probability(ROWS) == forest.probability(ROWS)).all()
    with pytest.raises(KeyError):
        read_forest(forest.arrays("f"), "other")


def test_arrays_that_make_no_trees_are_refused(forest: Forest) -> None:
    arrays = forest.arrays("f")
    backwards = {**arrays, "f.left": np.zeros_like(arrays["f.left"])}
    beyond = {**arrays, "f.right": np.full_like(arrays["f.right"], 9_999)}
    short = {**arrays, "f.value": arrays["f.value"][:, 1:]}
    for wrong in (backwards, beyond, short, {name: array[:0] for name, array in arrays.items()}):
        with pytest.raises(ValueError, match="f has "):
            read_forest(wrong, "f")


def test_a_logistic_regression_finds_the_coefficients_that_made_the_data() -> None:
    x = np.hstack([np.ones((4_000, 1)), RANDOM.normal(size=(4_000, 2))]).astype(np.float32)
    truth = np.array([-0.5, 2.0, -1.0])
    right = RANDOM.random(4_000) < 1 / (1 + np.exp(-x @ truth))
    assert fit_logistic(x, right, ridge=1.0) == pytest.approx(truth, abs=0.25)
    assert np.abs(fit_logistic(x, right, ridge=1e6)).max() < 0.01


@pytest.mark.requirement("RANK-13")
@pytest.mark.parametrize("leaves", [2, 15, 30, 60, 90])
def test_trees_as_masks_give_bit_for_bit_what_walking_them_gives(leaves: int) -> None:
    """The reference walks each tree for each row; no number is a number that goes right."""
    growth = Growth(trees=6, leaves=leaves, least_rows=2, rate=0.3, seeds=(1, 2))
    made = grow(ROWS, RIGHT, growth)
    rows = ROWS[:40].copy()
    rows[::7, 3] = np.nan
    logits = [sum_of_leaves(made, row) for row in rows]
    assert (made.probability(rows) == 1.0 / (1.0 + np.exp(-np.array(logits)))).all()


def sum_of_leaves(forest: Forest, row: np.ndarray[Any, np.dtype[np.float32]]) -> np.float64:
    values: list[np.float32] = []
    for tree in range(len(forest.feature)):
        node = 0
        while forest.feature[tree, node] >= 0:
            goes_left = row[forest.feature[tree, node]] <= forest.threshold[tree, node]
            node = int((forest.left if goes_left else forest.right)[tree, node])
        values.append(forest.value[tree, node])
    return np.array([values], np.float32).sum(1, dtype=np.float64)[0]
