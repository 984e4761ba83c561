"""What a model's word counts that nobody measured: a default for each size class, said to be one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from planwarden.contracts.calibration import PlannerCalibration, PlannerWeights
from planwarden.contracts.model import ModelIdentity

SizeClass = Literal["tiny", "small", "medium", "large", "unknown"]

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?([bm])(?![a-z0-9])", re.IGNORECASE)
_BILLION = {"b": 1.0, "m": 1e-3}
_UP_TO: tuple[tuple[float, SizeClass], ...] = ((0.5, "tiny"), (3.5, "small"), (20.0, "medium"))
"""Billions of parameters below which a model is of a class."""


def _weights(prior: float, model: float, none: float) -> PlannerWeights:
    return PlannerWeights(
        prior=prior,
        model=model,
        link_prior=prior,
        link_model=model,
        none_prior=1.0,
        none_model=none,
    )


WEIGHTS: Mapping[SizeClass, PlannerWeights] = {
    "tiny": _weights(1.0, 0.15, 0.1),
    "small": _weights(1.0, 0.4, 0.3),
    "medium": _weights(0.8, 1.0, 0.8),
    "large": _weights(0.5, 1.5, 1.2),
    "unknown": _weights(1.0, 0.4, 0.3),
}
"""Measured on nothing: below half a billion parameters models chose worse than retrieval, so they break ties;
from a few billion on the model outweighs the prior. `planwarden calibrate` replaces these."""


def size_class(identity: ModelIdentity) -> SizeClass:
    """Read a model's size off its name, as in `llama3.2:1b` or `SmolLM2-135M-Instruct`."""
    found = [
        float(number) * _BILLION[unit.lower()] for number, unit in _SIZE.findall(_spaced(identity.model))
    ]
    if not found:
        return "unknown"
    for limit, name in _UP_TO:
        if found[-1] < limit:
            return name
    return "large"


def default_calibration(identity: ModelIdentity, prompt_version: str) -> PlannerCalibration:
    """Give the unmeasured default for a model.

    Args:
        identity: of the model.
        prompt_version: of the prompt in use.
    """
    size = size_class(identity)
    return PlannerCalibration(
        model=size,
        label=f"{identity.provider} {identity.model}",
        prompt_version=prompt_version,
        weights=WEIGHTS[size],
        measured=False,
    )


def _spaced(name: str) -> str:
    return re.sub(r"[-_:/]", " ", name)
