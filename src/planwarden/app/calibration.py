"""Which calibration of the planner's model is in force: made here, shipped, else a default. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planwarden.catalog.catalog import Catalog
from planwarden.contracts.calibration import PlannerCalibration, PlannerWeights
from planwarden.contracts.measurement import measurement_key
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.value import digest

SIZE_CLASSES: tuple[tuple[float, str, PlannerWeights], ...] = (
    (0.5, "under 0.5B parameters", PlannerWeights(model=0.0, link_model=0.0, none_model=0.0)),
    (2.0, "0.5B to 2B parameters", PlannerWeights(model=0.2, link_model=0.2, none_model=0.1)),
    (6.0, "2B to 6B parameters", PlannerWeights(model=0.5, link_model=0.5, none_model=0.3)),
    (float("inf"), "6B parameters and more", PlannerWeights(model=1.0, link_model=1.0, none_model=0.7)),
)
"""Upper bound in billions of parameters, name, weights. Set by judgement, measured on nothing: see
docs/guides/calibration.md."""
UNKNOWN_SIZE = 1.0
"""Billions of parameters that a model is taken to have whose name does not say."""
_SIZE = re.compile(r"(?<![a-z0-9.])(\d+(?:\.\d+)?)\s*([bm])(?![a-z])", re.IGNORECASE)


def decide_calibration(
    identity: ModelIdentity,
    prompt_version: str,
    stored: Sequence[PlannerCalibration],
    shipped: Sequence[PlannerCalibration],
) -> tuple[PlannerCalibration, str]:
    """Give the calibration that is in force for a model and prompt, and why, in words for people.

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
    return default, f"unmeasured: the default for a model of {default.label}"


def default_calibration(identity: ModelIdentity, prompt_version: str) -> PlannerCalibration:
    """Give what stands in for a calibration: by size class, measured on nothing."""
    size = parameters_in(identity.model)
    name, weights = next(
        (name, weights)
        for bound, name, weights in SIZE_CLASSES
        if (UNKNOWN_SIZE if size is None else size) < bound
    )
    return PlannerCalibration(
        model=name,
        label=name if size is not None else "unknown size",
        prompt_version=prompt_version,
        weights=weights,
        measured=False,
    )


def parameters_in(model: str) -> float | None:
    """Read from a model's name how many billions of parameters it has; None where it does not say."""
    found = _SIZE.findall(model.replace("_", "-"))
    if not found:
        return None
    number, unit = found[-1]
    return float(number) / (1000.0 if unit in "mM" else 1.0)


def tools_digest(catalog: Catalog) -> str:
    """Name what a plan chooses from: agents, their tools, what those are said to do; not what data holds."""
    return digest(
        {
            "agents": {name: sorted(spec.tools) for name, spec in catalog.agents.items()},
            "tools": {name: spec.description for name, spec in catalog.tools.items()},
        }
    )
