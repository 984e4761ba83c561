from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.planning.confidence.isotonic import fit_isotonic, pool_adjacent_violators, read_isotonic

pytestmark = pytest.mark.requirement("CAL-1")

VALUES = st.lists(
    st.tuples(st.floats(-1e3, 1e3, allow_nan=False), st.floats(0.1, 10, allow_nan=False)), min_size=1
)
CASES = st.lists(st.tuples(st.floats(0, 1, allow_nan=False), st.booleans()), min_size=1, max_size=60)


@given(VALUES)
def test_the_fitted_sequence_never_falls_and_keeps_the_weighted_mean(
    pairs: list[tuple[float, float]],
) -> None:
    values, weights = [v for v, _ in pairs], [w for _, w in pairs]
    fitted = pool_adjacent_violators(values, weights)
    assert all(a <= b for a, b in pairwise(fitted))
    before = sum(v * w for v, w in pairs)
    after = sum(f * w for f, w in zip(fitted, weights, strict=True))
    assert after == pytest.approx(before, rel=1e-9, abs=1e-6)


@given(VALUES)
def test_what_was_fitted_fits_itself(pairs: list[tuple[float, float]]) -> None:
    weights = [w for _, w in pairs]
    once = pool_adjacent_violators([v for v, _ in pairs], weights)
    assert pool_adjacent_violators(once, weights) == once


def test_neighbours_in_the_wrong_order_share_their_mean() -> None:
    assert pool_adjacent_violators([1, 3, 2, 4], [1, 1, 1, 1]) == [1, 2.5, 2.5, 4]
    assert pool_adjacent_violators([3, 1], [1, 3]) == [1.5, 1.5]
    assert pool_adjacent_violators([0, 1, 0, 0], [1, 1, 1, 1]) == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])


@given(CASES, st.integers(1, 5), st.floats(0, 5), st.floats(-1, 2), st.floats(-1, 2))
def test_the_map_is_monotone_and_stays_within_0_and_1(
    cases: list[tuple[float, bool]], least: int, prior: float, one: float, other: float
) -> None:
    points = fit_isotonic([s for s, _ in cases], [float(y) for _, y in cases], least=least, prior=prior)
    low, high = sorted((one, other))
    assert 0 <= read_isotonic(points, low) <= read_isotonic(points, high) + 1e-12 <= 1 + 1e-12


def test_between_points_the_map_is_linear_and_outside_them_flat() -> None:
    points = ((0.2, 0.1), (0.6, 0.5))
    assert [read_isotonic(points, s) for s in (0.0, 0.2, 0.4, 0.6, 0.9)] == pytest.approx(
        [0.1, 0.1, 0.3, 0.5, 0.5]
    )


def test_equal_scores_are_one_case_as_heavy_as_they_are_many() -> None:
    points = fit_isotonic([0.5, 0.5, 0.5, 0.9], [1, 0, 0, 1])
    assert points == ((0.5, pytest.approx(1 / 3)), (0.9, 1.0))


def test_a_light_block_is_joined_and_drawn_towards_what_its_score_says() -> None:
    scores, labels = [0.1, 0.2, 0.3, 0.9], [0.0, 0.0, 1.0, 1.0]
    assert len(fit_isotonic(scores, labels, least=4)) == 1
    ((at, low), (higher, high)) = fit_isotonic(scores, labels, prior=2.0)
    assert (at, higher) == (pytest.approx(0.15), pytest.approx(0.6))
    assert (low, high) == (pytest.approx((0 * 2 + 0.15 * 2) / 4), pytest.approx((1 * 2 + 0.6 * 2) / 4))


def test_nothing_can_be_fitted_to_nothing() -> None:
    with pytest.raises(ValueError, match="no scores"):
        fit_isotonic([], [])
