"""What a planner model's word was measured to be worth: weights for fusion, maps for confidence.

`planwarden calibrate` makes such a value for one model; fusion and confidence read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from planwarden.contracts.value import Contract, Probability

CalibrationMethod = Literal["default", "logistic_regression"]
"""`default`: by size class, measured on nothing; `logistic_regression`: fitted on tasks with gold plans."""
Weight = Annotated[float, Field(allow_inf_nan=False, ge=-20.0, le=20.0)]
FromNone = Annotated[float, Field(allow_inf_nan=False, ge=0.0, le=20.0)]


class PlannerWeights(Contract):
    """How much the prior and the model weigh: fused logit = bias + prior·logit(p) + model·logit(q).

    One triple each for tools, for links between them, and for the way out that no tool fits.
    """

    prior: FromNone = 1.0
    model: FromNone = 0.0
    bias: Weight = 0.0
    link_prior: FromNone = 1.0
    link_model: FromNone = 0.0
    link_bias: Weight = 0.0
    none_prior: FromNone = 1.0
    none_model: FromNone = 0.0
    none_bias: Weight = 0.0

    @property
    def model_counts(self) -> bool:
        """Say whether the model's word can change anything at all."""
        return max(self.model, self.link_model, self.none_model) > 0.0


PRIOR_ALONE = PlannerWeights()
"""The prior as it is, and nothing of the model."""


class IsotonicMap(Contract):
    """A monotone map from raw to calibrated probabilities, linear between its points, flat outside them.

    Without points it changes nothing. Source: Zadrozny & Elkan 2002 (isotonic calibration).
    """

    points: tuple[tuple[Probability, Probability], ...] = ()
    """(raw, calibrated), both ascending."""

    @model_validator(mode="after")
    def _is_monotone(self) -> Self:
        raws = [raw for raw, _ in self.points]
        values = [value for _, value in self.points]
        if raws != sorted(set(raws)) or values != sorted(values):
            msg = "points must ascend: raw strictly, calibrated never falling"
            raise ValueError(msg)
        return self

    def value(self, raw: float) -> float:
        """Give the calibrated probability for a raw one."""
        if not self.points:
            return raw
        before = self.points[0]
        if raw <= before[0]:
            return before[1]
        for point in self.points[1:]:
            if raw <= point[0]:
                share = (raw - before[0]) / (point[0] - before[0])
                return before[1] + share * (point[1] - before[1])
            before = point
        return before[1]


class PriorConfidence(Contract):
    """How sure plans are that rest on the prior alone: measured for a ranker, whatever the model."""

    prior_version: str
    """Of the ranker: plans of another are not read by these."""
    tasks: Annotated[int, Field(ge=1)]
    at: str
    """Day of measurement, as YYYY-MM-DD."""
    planwarden_version: str
    step_confidence: IsotonicMap
    """From the probability of a step to the share of such steps that were right."""
    signal_weights: Mapping[str, float]
    """As in a model's calibration."""
    confidence: IsotonicMap
    """From the raw confidence of a whole plan to the share of such plans that were exactly right."""
    figures: Mapping[str, float]
    """What was measured along the way, by name, for people."""


class PlannerCalibration(Contract):
    """What one planner model's word is worth, and how its confidence is to be read."""

    model: str
    """`measurement_key` of the model; of a default, the size class."""
    label: str
    """Its provider and name, for people."""
    prompt_version: str
    """Of the prompt it was measured with: figures of another prompt are not its own."""
    prior_version: str = ""
    """Of the prior, where it has one: beside another prior the weights would be others."""
    weights: PlannerWeights
    measured: bool
    """False for a default: then nothing of this was measured for this very model."""
    tasks: Annotated[int, Field(ge=0)] = 0
    """Measured on so many; 0 for a default."""
    tasks_digest: str = ""
    catalog_digest: str = ""
    """`tools_digest` of the catalog in force when it was measured here; empty where that does not matter."""
    at: str = ""
    """Day of measurement, as YYYY-MM-DD; empty for a default."""
    step_confidence: IsotonicMap = IsotonicMap()
    """From the fused probability of a step to the share of such steps that were right."""
    signal_weights: Mapping[str, float] = Field(default_factory=dict)
    """How the signals of a plan make its raw confidence (`planning.confidence.signals`); none: by their own
    probabilities, as if they were independent."""
    confidence: IsotonicMap = IsotonicMap()
    """From the raw confidence of a whole plan to the share of such plans that were exactly right."""
    alone: PriorConfidence | None = None
    """How plans are read for which the model was not heard; None: as its own."""
    method: CalibrationMethod = "default"
    planwarden_version: str = ""
    figures: Mapping[str, float] = Field(default_factory=dict)
    """What was measured along the way, by name, for people."""

    def read_by(self, *, heard: bool) -> PlannerCalibration | PriorConfidence:
        """Give what makes the confidence of a plan, by whether a model was heard for it."""
        return self if heard or self.alone is None else self.alone
