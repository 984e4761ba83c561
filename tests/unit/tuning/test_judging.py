"""A tuned planner is kept only where it is better beyond doubt; its card says on what it learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from planwarden.contracts.model import ModelUsage
from planwarden.errors import DataRejected, SettingsRejected
from planwarden.evaluation.contestants import Attempted
from planwarden.evaluation.plan_benchmark import Judged
from planwarden.evaluation.plan_scores import score_plan
from planwarden.evaluation.plan_tasks import GoldStep, PlanTask, Prediction
from planwarden.tuning.adapter_file import modelfile
from planwarden.tuning.card import data_card
from planwarden.tuning.judging import Tuned, check_enough, judge, mean_seconds
from planwarden.tuning.libraries import library
from planwarden.tuning.training import Recipe

TASK = PlanTask.model_validate(
    {
        "id": "t",
        "source": "mine",
        "request": "How is it?",
        "tools": [{"name": "weather"}, {"name": "rate"}],
        "gold": {"steps": [{"tool": "weather"}]},
    }
)


def judged(right: Sequence[bool], seconds: float = 1.0) -> list[Judged]:
    said = [Prediction(id="t", steps=(GoldStep(tool="weather" if each else "rate"),)) for each in right]
    return [
        Judged(
            task=TASK,
            attempted=Attempted(prediction=each, usage=ModelUsage(), seconds=seconds, source="planner"),
            score=score_plan(TASK, each),
        )
        for each in said
    ]


@pytest.mark.requirement("TUNE-6")
def test_better_means_that_the_whole_interval_of_the_gain_is_above_zero() -> None:
    before = judged([False] * 20 + [True] * 20)
    clearly = judge(before, judged([False] * 5 + [True] * 35))
    assert clearly.better
    assert (clearly.before.mean, clearly.after.mean, clearly.gain.mean) == (0.5, 0.875, 0.375)
    assert not judge(before, judged([False] * 19 + [True] * 21)).better
    assert not judge(before, before).better
    assert not judge(before, judged([False] * 40)).better


@pytest.mark.requirement("TUNE-6")
def test_what_could_not_be_judged_is_not_tuned() -> None:
    check_enough(10)
    with pytest.raises(DataRejected, match="Only 9 of the tasks are held out"):
        check_enough(9)


@pytest.mark.requirement("TUNE-6")
def test_the_card_says_what_was_learned_and_whether_it_helped() -> None:
    verdict = judge(judged([False] * 40), judged([True] * 40))
    tuned = Tuned(
        adapter=Path("/a/planner.gguf"),
        begun_with=None,
        began="begins with no adapter: none is in use",
        trained_on=2,
        held_out=40,
        verdict=verdict,
        seconds_before=mean_seconds(judged([True], 2.0)),
        seconds_after=1.5,
        installed=None,
    )
    card = data_card(tuned, [TASK, TASK], Recipe(epochs=3, most_steps=2), "sha256:" + "0" * 64)
    assert "mine (2)" in card
    assert "3 epochs, stopped after 2 steps at the latest" in card
    assert "0.000 (0.000 to 0.000) before, 1.000 (1.000 to 1.000) after" in card
    assert "2.00 before, 1.50 after" in card
    assert "Not installed" in card
    assert "- Training begins with no adapter: none is in use." in card
    assert asdict(tuned)["verdict"]["gain"]["low"] == 1.0


@pytest.mark.requirement("TUNE-6")
def test_the_modelfile_names_weights_and_adapter_whatever_their_folders_are_called() -> None:
    text = modelfile(Path("/my models/base.gguf"), Path("/out/planner.gguf"))
    assert text.splitlines()[:2] == ['FROM "/my models/base.gguf"', 'ADAPTER "/out/planner.gguf"']


@pytest.mark.requirement("TUNE-7")
def test_a_missing_library_is_named_with_what_installs_it() -> None:
    with pytest.raises(SettingsRejected, match="Tuning needs no_such_library") as refused:
        library("no_such_library.part")
    assert "`pip install '.[tune]'` in a checkout" in refused.value.remedy
