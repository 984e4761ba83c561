"""Which calibration of the planner's model is in force: made here, shipped, else a default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from planwarden.catalog.catalog import Catalog
from planwarden.configuration.calibrations import (
    shipped_calibrations,
    shipped_prior_confidence,
    stored_calibrations,
)
from planwarden.configuration.settings import Settings
from planwarden.contracts.calibration import PlannerCalibration, PriorConfidence
from planwarden.contracts.measurement import measurement_key
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.value import digest
from planwarden.planning.fusion.defaults import default_calibration
from planwarden.planning.prompt import PROMPT_VERSION

SHIPPED = Path(str(files("planwarden.planning"))) / "ranking" / "weights" / "ranker.npz"
"""What the learned ranker reads; named here, for reading its module would bring in all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a calibration was made with and holds for only: with another, the weights would be others."""

    prompt_version: str
    prior_version: str


def basis_in_force(ranker: Path | None = None) -> Basis:
    """Name the prompt and the prior in force. Blocks.

    Args:
        ranker: the file of the learned ranker's weights, None for what ships; where there is no such file,
            priors are those of retrieval.
    """
    try:
        learned = sha256((ranker or SHIPPED).read_bytes()).hexdigest()[:16]
    except OSError:
        return Basis(prompt_version=PROMPT_VERSION, prior_version="retrieval")
    return Basis(prompt_version=PROMPT_VERSION, prior_version=f"ranker {learned}")


def calibrations_in_force(settings: Settings) -> Callable[[ModelIdentity], PlannerCalibration]:
    """Read what was measured here and for the release; give what decides by it, for a planner. Blocks.

    Raises:
        StoreCorrupt: a calibration that was made here cannot be read.
    """
    stored, shipped = stored_calibrations(settings.planwarden_home), shipped_calibrations()
    basis, alone = basis_in_force(settings.ranker_in_force), shipped_prior_confidence()

    def in_force(identity: ModelIdentity) -> PlannerCalibration:
        decided = decide_calibration(identity, basis, stored, shipped)[0]
        return decided if decided in stored else with_prior_confidence(decided, basis, alone)

    return in_force


def with_prior_confidence(
    decided: PlannerCalibration, basis: Basis, alone: PriorConfidence
) -> PlannerCalibration:
    """Have plans for which no model was heard read by what was measured of the ranker in force. Pure.

    Not where the model was calibrated on this machine: its own tasks then say more of such plans, too.
    """
    return (
        decided.model_copy(update={"alone": alone}) if alone.prior_version == basis.prior_version else decided
    )


def decide_calibration(
    identity: ModelIdentity,
    basis: Basis,
    stored: Sequence[PlannerCalibration],
    shipped: Sequence[PlannerCalibration],
) -> tuple[PlannerCalibration, str]:
    """Give the calibration that is in force for a model and prompt, and why, in words for people. Pure.

    One made with another prompt or prior is not in force: the model was asked something else, or weighed
    against something else, then.

    Args:
        identity: of the planner's model.
        basis: prompt and prior in force.
        stored: made on this machine.
        shipped: that ship.
    """
    key = measurement_key(identity)
    for where, known in (("here", stored), ("for the release", shipped)):
        for made in known:
            if made.model == key and basis_of(made) == basis:
                return made, f"measured {where} on {made.at}, {made.tasks} tasks"
    default = default_calibration(identity, basis.prompt_version)
    older = [made for made in (*stored, *shipped) if made.model == key]
    if older:
        return default, f"unmeasured: it was measured with another {_changed(basis_of(older[0]), basis)}"
    return default, f"unmeasured: the default for the size class `{default.model}`"


def basis_of(made: PlannerCalibration) -> Basis:
    """Give what a calibration was made with. Pure."""
    return Basis(prompt_version=made.prompt_version, prior_version=made.prior_version)


def _changed(was: Basis, now: Basis) -> str:
    """Name what is different, with both versions."""
    if was.prompt_version != now.prompt_version:
        return f"prompt ({was.prompt_version}, now {now.prompt_version})"
    return f"prior ({was.prior_version}, now {now.prior_version})"


def tools_digest(catalog: Catalog) -> str:
    """Name what a plan chooses from: agents, tools, what they are said to do; not what data holds. Pure."""
    return digest(
        {
            "agents": {name: sorted(spec.tools) for name, spec in catalog.agents.items()},
            "tools": {name: spec.description for name, spec in catalog.tools.items()},
        }
    )
