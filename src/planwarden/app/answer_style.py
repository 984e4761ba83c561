"""Whether a model writes the answers: as set, as measured, else by default. The decision is pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from planwarden.contracts.measurement import MAX_INVENTED, MIN_RIGHT, AnswerMeasurement, measurement_key
from planwarden.contracts.model import AnswerStyle, ModelIdentity


def decide_answer_style(
    identity: ModelIdentity,
    wanted: Literal["auto", "prose", "evidence"],
    stored: Mapping[str, AnswerMeasurement],
    shipped: Mapping[str, AnswerMeasurement],
) -> tuple[AnswerStyle, str]:
    """Give the answer style of a model, and why, in words for the dossier.

    Args:
        identity: of the model.
        wanted: `LLM__ANSWERS`.
        stored: measurements made on this machine, by model.
        shipped: measurements that ship, by model.
    """
    if wanted != "auto":
        return wanted, "set by LLM__ANSWERS"
    key = measurement_key(identity)
    for where, known in (("here", stored), ("for the release", shipped)):
        measured = known.get(key)
        if measured is not None:
            needs = f"prose needs {MIN_RIGHT:.0%} right and at most {MAX_INVENTED:.0%} invented"
            return measured.style, f"measured {where} on {measured.measured_on}: {measured.summary}; {needs}"
    if identity.argument_style == "grounded":
        return "evidence", "not measured: an embedded model counts as too small for prose until measured"
    return "prose", "not measured: `planwarden models measure` decides by figures"
