"""Who writes the answers: as set, as measured, else by default; with the reason."""

from __future__ import annotations

import pytest

from planwarden.app.answer_style import decide_answer_style
from planwarden.configuration.measurements import shipped_measurements
from planwarden.contracts.measurement import AnswerMeasurement, measurement_key
from planwarden.contracts.model import ModelIdentity
from planwarden.evaluation.answer_scores import answer_items
from planwarden.llm.embedded.model_file import SMOLLM2

pytestmark = pytest.mark.requirement("ANS-3")

MODEL = ModelIdentity(provider="ollama", model="m", endpoint="http://x", digest="sha256:" + "a" * 64)
TRIAL = ModelIdentity(provider="embedded", model="s", digest=SMOLLM2.digest, argument_style="grounded")


def measured(
    right: float, invented: float = 0.0, model: ModelIdentity = MODEL
) -> dict[str, AnswerMeasurement]:
    key = measurement_key(model)
    shares = dict.fromkeys(("stated", "cited", "admitted", "language", "failed"), 0.5)
    one = AnswerMeasurement(
        model=key,
        label="m",
        items=30,
        items_digest="d",
        right=right,
        invented=invented,
        planwarden_version="1",
        measured_on="2026-01-01",
        **shares,
    )
    return {key: one}


def test_a_setting_is_above_every_measurement() -> None:
    assert decide_answer_style(MODEL, "evidence", measured(1.0), {}) == ("evidence", "set by LLM__ANSWERS")
    assert decide_answer_style(MODEL, "prose", measured(0.0), {})[0] == "prose"


@pytest.mark.parametrize(
    ("right", "invented", "style"), [(0.8, 0.05, "prose"), (0.79, 0.0, "evidence"), (1.0, 0.06, "evidence")]
)
def test_a_measurement_decides_by_the_documented_figures(right: float, invented: float, style: str) -> None:
    decided, because = decide_answer_style(MODEL, "auto", measured(right, invented), {})
    assert decided == style
    assert because.startswith("measured here on 2026-01-01")
    assert f"{right:.0%}" in because


def test_what_was_measured_here_is_above_what_ships() -> None:
    assert decide_answer_style(MODEL, "auto", measured(1.0), measured(0.0))[0] == "prose"
    assert decide_answer_style(MODEL, "auto", {}, measured(0.0))[1].startswith("measured for the release")


def test_a_measurement_of_another_model_says_nothing() -> None:
    other = MODEL.model_copy(update={"digest": None})
    assert decide_answer_style(other, "auto", measured(0.0), {}) == (
        "prose",
        "not measured: `planwarden models measure` decides by figures",
    )
    assert measurement_key(other) == "ollama http://x m"
    unknown = TRIAL.model_copy(update={"digest": "sha256:" + "b" * 64})
    assert decide_answer_style(unknown, "auto", {}, shipped_measurements())[0] == "evidence"


def test_the_trial_model_ships_with_its_measurement_on_the_items_that_ship() -> None:
    shipped = shipped_measurements()
    assert shipped[SMOLLM2.digest].items_digest == answer_items().digest
    style, because = decide_answer_style(TRIAL, "auto", {}, shipped)
    assert style == "evidence"
    assert because.startswith("measured for the release")
