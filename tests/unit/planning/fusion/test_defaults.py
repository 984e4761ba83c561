"""What a model's word counts that nobody measured, and how confidence is mapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from planwarden.contracts.calibration import PRIOR_ALONE, IsotonicMap, PlannerCalibration
from planwarden.contracts.model import ModelIdentity
from planwarden.planning.fusion.defaults import WEIGHTS, default_calibration, size_class


def model(name: str) -> ModelIdentity:
    return ModelIdentity(provider="ollama", model=name)


@pytest.mark.requirement("FUSE-9")
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("smollm2-135m-instruct", "tiny"),
        ("SmolLM2-360M-Instruct.Q4_1", "tiny"),
        ("llama3.2:1b", "small"),
        ("qwen2.5:3b-instruct", "small"),
        ("llama3.1:8b", "medium"),
        ("meta-llama/Llama-3.3-70B-Instruct", "large"),
        ("qwen2.5-1.5b", "small"),
        ("some-cloud-model", "unknown"),
    ],
)
def test_a_models_size_class_is_read_off_its_name(name: str, size: str) -> None:
    assert size_class(model(name)) == size
    given_one = default_calibration(model(name), "v1")
    assert (given_one.model, given_one.measured, given_one.method) == (size, False, "default")
    assert given_one.weights == WEIGHTS[size_class(model(name))]


@pytest.mark.requirement("FUSE-9")
def test_by_default_a_larger_models_word_counts_more_and_no_ones_counts_nothing() -> None:
    order = [WEIGHTS[size] for size in ("tiny", "small", "medium", "large")]
    shares = [each.model / (each.model + each.prior) for each in order]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.2
    assert shares[2] > 0.5
    assert all(each.model_counts for each in WEIGHTS.values())
    assert not PRIOR_ALONE.model_counts


POINTS = st.lists(
    st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=6, unique_by=lambda point: point[0]
).map(
    lambda points: tuple(
        zip(sorted(raw for raw, _ in points), sorted(value for _, value in points), strict=True)
    )
)


@pytest.mark.requirement("FUSE-11")
@given(points=POINTS, raw=st.floats(0, 1), more=st.floats(0, 1))
def test_a_map_of_confidence_never_falls_and_stays_a_probability(
    points: tuple[tuple[float, float], ...], raw: float, more: float
) -> None:
    mapped = IsotonicMap(points=points)
    low, high = sorted((raw, more))
    assert 0.0 <= mapped.value(low) <= mapped.value(high) + 1e-12 <= 1.0 + 1e-12
    if not points:
        assert mapped.value(raw) == raw
    for at, value in points:
        assert mapped.value(at) == pytest.approx(value)


@pytest.mark.requirement("FUSE-11")
@pytest.mark.parametrize(
    "points", [((0.5, 0.1), (0.2, 0.3)), ((0.1, 0.5), (0.2, 0.3)), ((0.1, 0.1), (0.1, 0.2))]
)
def test_a_map_that_falls_is_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValidationError):
        IsotonicMap(points=points)


@pytest.mark.requirement("FUSE-9")
def test_a_calibration_survives_being_written_and_read() -> None:
    whole = default_calibration(model("llama3.2:1b"), "v1")
    assert PlannerCalibration.model_validate_json(whole.model_dump_json()) == whole
