"""Which calibration of the planner's model is in force: made here, shipped, else a default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from planwarden.catalog.catalog import Catalog
from planwarden.configuration.calibrations import shipped_calibrations, stored_calibrations
from planwarden.contracts.calibration import PlannerCalibration
from planwarden.contracts.measurement import measurement_key
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.value import digest
from planwarden.planning.fusion.defaults import default_calibration
from planwarden.planning.prompt import PROMPT_VERSION


def calibrations_in_force(home: Path) -> Callable[[ModelIdentity], PlannerCalibration]:
    """Read what was measured here and for the release; give what decides by it, for a planner. Blocks.

    Raises:
        StoreCorrupt: a calibration that was made here cannot be read.
    """
    stored, shipped = stored_calibrations(home), shipped_calibrations()

    def in_force(identity: ModelIdentity) -> PlannerCalibration:
        return decide_calibration(identity, PROMPT_VERSION, stored, shipped)[0]

    return in_force


def decide_calibration(
    identity: ModelIdentity,
    prompt_version: str,
    stored: Sequence[PlannerCalibration],
    shipped: Sequence[PlannerCalibration],
) -> tuple[PlannerCalibration, str]:
    """Give the calibration that is in force for a model and prompt, and why, in words for people. Pure.

    One of another prompt is not in force: the model was asked something else then.

    Args:
        identity: of the planner's model.
        prompt_version: of the prompt in force.
        stored: made on this machine.
        shipped: that ship.
    """
    key = measurement_key(identity)
    for where, known in (("here", stored), ("for the release", shipped)):
        for made in known:
            if (made.model, made.prompt_version) == (key, prompt_version):
                return made, f"measured {where} on {made.at}, {made.tasks} tasks"
    default = default_calibration(identity, prompt_version)
    older = [made for made in (*stored, *shipped) if made.model == key]
    if older:
        was = older[0].prompt_version
        return (
            default,
            f"unmeasured: it was measured with prompt {was}, and the prompt is {prompt_version} now",
        )
    return default, f"unmeasured: the default for the size class `{default.model}`"


def tools_digest(catalog: Catalog) -> str:
    """Name what a plan chooses from: agents, tools, what they are said to do; not what data holds. Pure."""
    return digest(
        {
            "agents": {name: sorted(spec.tools) for name, spec in catalog.agents.items()},
            "tools": {name: spec.description for name, spec in catalog.tools.items()},
        }
    )
