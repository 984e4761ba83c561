from __future__ import annotations

from pathlib import Path

import pytest

from planwarden.app.calibration import (
    Basis,
    basis_in_force,
    calibrations_in_force,
    decide_calibration,
    tools_digest,
    with_prior_confidence,
)
from planwarden.app.diagnosis.calibration import calibration_finding
from planwarden.catalog.catalog import Catalog
from planwarden.configuration.calibrations import (
    file_name,
    shipped_calibrations,
    shipped_prior_confidence,
    store_calibration,
    stored_calibrations,
)
from planwarden.configuration.settings import Settings
from planwarden.contracts.calibration import IsotonicMap, PlannerCalibration, PlannerWeights
from planwarden.contracts.measurement import measurement_key
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.specs import AgentSpec, ToolSpec
from planwarden.errors import StoreCorrupt, StoreUnavailable
from planwarden.planning.prompt import PROMPT_VERSION

pytestmark = pytest.mark.requirement("CAL-7")

MODEL = ModelIdentity(provider="ollama", model="llama3.2:1b", endpoint="http://127.0.0.1:11434")
BASIS = basis_in_force()


def made(
    *,
    model: ModelIdentity = MODEL,
    prompt: str = PROMPT_VERSION,
    prior: str = BASIS.prior_version,
    weight: float = 0.5,
) -> PlannerCalibration:
    return PlannerCalibration(
        model=measurement_key(model),
        label=f"{model.provider} {model.model}",
        prompt_version=prompt,
        prior_version=prior,
        weights=PlannerWeights(model=weight),
        measured=True,
        tasks=250,
        at="2026-11-24",
        catalog_digest="cat",
        confidence=IsotonicMap(points=((0.1, 0.2), (0.9, 0.8))),
        method="logistic_regression",
        figures={"ece": 0.04, "auroc": 0.83},
    )


def test_a_calibration_is_read_as_it_was_kept_and_the_next_one_takes_its_place(tmp_path: Path) -> None:
    store_calibration(tmp_path, made(weight=0.5))
    path = store_calibration(tmp_path, made(weight=0.7))
    store_calibration(tmp_path, made(prompt="older"))
    assert path.name.startswith("ollama-llama3.2-1b-")
    assert [each.weights.model for each in stored_calibrations(tmp_path)].count(0.7) == 1
    assert len(stored_calibrations(tmp_path)) == 2
    assert calibrations_in_force(Settings(planwarden_home=tmp_path))(MODEL) == made(weight=0.7)


def test_names_of_files_are_plain_whatever_the_model_is_called() -> None:
    odd = made(model=ModelIdentity(provider="openai", model="../../etc/passwd ☃"))
    assert file_name(odd).startswith("openai-..-..-etc-passwd-")
    assert "/" not in file_name(odd)


def test_nothing_is_kept_where_nothing_was_measured(tmp_path: Path) -> None:
    assert stored_calibrations(tmp_path) == ()
    file = tmp_path / "file"
    file.write_text("x")
    assert stored_calibrations(file) == ()


def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = store_calibration(tmp_path, made())
    path.write_text("{", "utf-8")
    with pytest.raises(StoreCorrupt, match=path.name) as refused:
        stored_calibrations(tmp_path)
    assert "planwarden calibrate" in refused.value.remedy


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file")
    with pytest.raises(StoreUnavailable):
        store_calibration(home, made())


def test_what_was_made_here_goes_before_what_ships_and_that_before_a_default() -> None:
    here, shipped = made(weight=0.9), made(weight=0.1)
    assert decide_calibration(MODEL, BASIS, [here], [shipped])[0] == here
    assert decide_calibration(MODEL, BASIS, [], [shipped])[0] == shipped
    default, because = decide_calibration(MODEL, BASIS, [], [])
    assert not default.measured
    assert "unmeasured" in because


def test_a_calibration_of_an_older_prompt_or_another_model_is_not_in_force() -> None:
    older, other = made(prompt="older"), made(model=MODEL.model_copy(update={"model": "other"}))
    chosen, because = decide_calibration(MODEL, BASIS, [older, other], [])
    assert not chosen.measured
    assert "another prompt (older, now " in because


def test_a_calibration_beside_another_prior_is_not_in_force(tmp_path: Path) -> None:
    chosen, because = decide_calibration(MODEL, BASIS, [made(prior="other")], [])
    assert not chosen.measured
    assert "another prior (other, now " in because
    weights = tmp_path / "ranker.npz"
    assert basis_in_force(weights) == Basis(prompt_version=PROMPT_VERSION, prior_version="retrieval")
    weights.write_bytes(b"one")
    one = basis_in_force(weights)
    weights.write_bytes(b"two")
    assert one != basis_in_force(weights)


def test_what_ships_can_be_read_and_is_measured() -> None:
    assert all(each.measured for each in shipped_calibrations())


@pytest.mark.requirement("CAL-11")
def test_how_sure_the_prior_is_was_measured_with_the_ranker_that_ships() -> None:
    alone = shipped_prior_confidence()
    assert alone.prior_version == BASIS.prior_version
    assert alone.tasks > 1_000
    assert len(alone.confidence.points) > 5
    assert alone.figures["ece"] < 0.05
    assert alone.figures["auroc"] > 0.8


@pytest.mark.requirement("CAL-11")
def test_plans_of_the_prior_are_read_by_what_ships_but_where_their_model_was_calibrated_here(
    tmp_path: Path,
) -> None:
    settings = Settings(planwarden_home=tmp_path)
    unmeasured = calibrations_in_force(settings)(MODEL)
    assert (unmeasured.measured, unmeasured.alone) == (False, shipped_prior_confidence())
    store_calibration(tmp_path, made())
    assert calibrations_in_force(settings)(MODEL).alone is None
    another = Basis(prompt_version=PROMPT_VERSION, prior_version="ranker of mine")
    plain = unmeasured.model_copy(update={"alone": None})
    assert with_prior_confidence(plain, another, shipped_prior_confidence()).alone is None


def catalog(description: str, topic: str) -> Catalog:
    tool = ToolSpec(
        name="t",
        description=description,
        effect="read",
        parameters={"type": "object", "properties": {}, "additionalProperties": False},
        topics=(topic,),
    )
    return Catalog(agents={"a": AgentSpec(name="a", description="d", tools=("t",))}, tools={"t": tool})


def test_the_tools_digest_follows_the_tools_and_not_the_data() -> None:
    assert tools_digest(catalog("does", "x")) == tools_digest(catalog("does", "y"))
    assert tools_digest(catalog("does", "x")) != tools_digest(catalog("does more", "x"))


@pytest.mark.parametrize(
    ("stored", "status", "said"),
    [
        ((), "ok", "uncalibrated; `planwarden calibrate --planner llama3.2:1b` measures it"),
        ((made(),), "ok", "its word is heard; calibration error 0.040, AUROC 0.83"),
        ((made(weight=0.0),), "ok", "its word weighs nothing"),
        ((made(prompt="older"),), "warning", "measured with another prompt (older, now "),
        ((made().model_copy(update={"catalog_digest": "was"}),), "warning", "have changed since"),
    ],
)
def test_the_doctor_says_which_calibration_is_in_force_and_what_has_changed(
    stored: tuple[PlannerCalibration, ...], status: str, said: str
) -> None:
    found = calibration_finding(MODEL, BASIS, stored, (), "cat")
    assert found.status == status
    assert said in found.detail
    assert (found.remedy == "planwarden calibrate --planner llama3.2:1b") == (status == "warning")
