from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planwarden.evaluation.calibration.sureness import (
    area_under,
    auroc,
    brier,
    expected_calibration_error,
    minimum_for,
    reliability_bins,
    risk_coverage,
    sureness,
)

pytestmark = pytest.mark.requirement("CAL-2")

FOUR = [(0.9, True), (0.8, False), (0.6, True), (0.1, False)]
CASES = st.lists(st.tuples(st.sampled_from([0.1, 0.25, 0.5, 0.7, 0.9]), st.booleans()), min_size=1)


def test_the_calibration_error_is_the_one_computed_by_hand() -> None:
    # two bins: (0.1, 0.6) half right, said 0.35; (0.8, 0.9) half right, said 0.85
    assert expected_calibration_error(FOUR, bins=2) == pytest.approx(0.5 * 0.15 + 0.5 * 0.35)
    # four bins: |0.1 - 0|, |0.6 - 1|, |0.8 - 0|, |0.9 - 1|
    assert expected_calibration_error(FOUR, bins=4) == pytest.approx((0.1 + 0.4 + 0.8 + 0.1) / 4)


def test_ranking_is_the_share_of_pairs_in_the_right_order_with_ties_counting_half() -> None:
    assert auroc(FOUR) == pytest.approx(3 / 4)
    assert auroc([(0.5, True), (0.5, False)]) == pytest.approx(0.5)
    assert auroc([(0.5, True), (0.5, False), (0.2, False)]) == pytest.approx(0.75)


def test_the_brier_score_is_the_one_computed_by_hand() -> None:
    assert brier(FOUR) == pytest.approx((0.01 + 0.64 + 0.16 + 0.01) / 4)


def test_risk_against_coverage_is_the_one_computed_by_hand() -> None:
    curve = risk_coverage(FOUR)
    assert [point.coverage for point in curve] == [0.25, 0.5, 0.75, 1.0]
    assert [point.risk for point in curve] == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert area_under(curve) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_equals_cannot_be_told_apart_so_neither_order_of_them_counts() -> None:
    tied = [(0.5, True), (0.5, False), (0.5, True), (0.5, True)]
    assert [point.risk for point in risk_coverage(tied)] == pytest.approx([0.25] * 4)


def test_a_minimum_is_named_for_a_risk_and_never_parts_equals() -> None:
    curve = risk_coverage([(0.9, True), (0.9, True), (0.4, True), (0.4, False)])
    point = minimum_for(curve, 0.2)
    assert point is not None
    assert (point.coverage, point.confidence) == (0.5, 0.9)
    assert minimum_for(risk_coverage([(0.9, False)]), 0.2) is None


@given(CASES)
def test_bins_hold_every_case_once_and_the_error_is_within_0_and_1(cases: list[tuple[float, bool]]) -> None:
    bins = reliability_bins(cases)
    assert sum(each.count for each in bins) == len(cases)
    assert all(each.low <= each.right <= each.high for each in bins)
    assert 0 <= expected_calibration_error(cases) <= 1


def test_perfect_confidence_shows_about_the_error_that_chance_explains_and_overconfidence_more() -> None:
    random = Random(5)
    honest = [(p, random.random() < p) for p in (random.random() for _ in range(400))]
    boasting = [(p**0.2, right) for p, right in honest]
    good, bad = sureness(honest, resamples=100), sureness(boasting, resamples=100)
    assert good.ece.mean < 2 * good.ece_by_chance
    assert bad.ece.low > 3 * bad.ece_by_chance
    assert good.ece.low <= good.ece.mean <= good.ece.high
    assert good.auroc is not None
    assert good.auroc.low < good.auroc.mean < good.auroc.high
    assert good.auroc.mean == bad.auroc.mean if bad.auroc else False


def test_where_all_are_right_there_is_nothing_to_rank() -> None:
    assert sureness([(0.7, True), (0.9, True)], resamples=5).auroc is None
