"""The calibration of the planner's model: which is in force, and what has changed since it was made."""

from __future__ import annotations

import asyncio

from planwarden.app.calibration import Basis, basis_in_force, decide_calibration, tools_digest
from planwarden.app.planwarden import Planwarden
from planwarden.configuration.calibrations import shipped_calibrations, stored_calibrations
from planwarden.contracts.calibration import PlannerCalibration
from planwarden.contracts.finding import Finding
from planwarden.contracts.measurement import measurement_key
from planwarden.contracts.model import ModelIdentity

CHECK = "calibration"


async def look_at_calibration(planwarden: Planwarden, identity: ModelIdentity) -> Finding:
    """Say which calibration is in force for the planner's model.

    Raises:
        StoreCorrupt: a calibration that was made here cannot be read.
        CatalogRejected: the catalog cannot be read.
    """
    if planwarden.settings.planner_llm.mode != "fused":
        detail = f"PLANNER_LLM__MODE is {planwarden.settings.planner_llm.mode}: nothing is weighed"
        return Finding(check=CHECK, status="skipped", detail=detail)
    home = planwarden.settings.planwarden_home
    stored = await asyncio.to_thread(stored_calibrations, home)
    basis = await asyncio.to_thread(basis_in_force, planwarden.settings.ranker_in_force)
    world = await planwarden.world()
    return calibration_finding(identity, basis, stored, shipped_calibrations(), tools_digest(world.catalog))


def calibration_finding(
    identity: ModelIdentity,
    basis: Basis,
    stored: tuple[PlannerCalibration, ...],
    shipped: tuple[PlannerCalibration, ...],
    catalog: str,
) -> Finding:
    """Judge the calibration in force. Pure.

    Args:
        identity: of the planner's model.
        basis: prompt and prior in force.
        stored: made on this machine.
        shipped: that ship.
        catalog: `tools_digest` of the catalog in force.
    """
    made, because = decide_calibration(identity, basis, stored, shipped)
    figures = {
        "measured": made.measured,
        "model_weight": made.weights.model,
        "prompt_version": made.prompt_version,
        "tasks": made.tasks,
    }
    remedy = f"planwarden calibrate --planner {identity.model}"
    if not made.measured:
        weight = f"its word weighs {made.weights.model:g} beside the prior's {made.weights.prior:g}"
        detail = f"{because}; {weight}, and confidence is uncalibrated"
        if any(known.model == measurement_key(identity) for known in (*stored, *shipped)):
            return Finding(check=CHECK, status="warning", detail=detail, remedy=remedy, figures={**figures})
        return Finding(
            check=CHECK, status="ok", detail=f"{detail}; `{remedy}` measures it", figures={**figures}
        )
    says = "its word is heard" if made.weights.model_counts else "its word weighs nothing"
    detail = f"{because}: {says}{_told(made)}"
    if made in stored and made.catalog_digest != catalog:
        return Finding(
            check=CHECK,
            status="warning",
            detail=f"{detail}; agents or tools of the catalog have changed since",
            remedy=remedy,
            figures={**figures},
        )
    return Finding(check=CHECK, status="ok", detail=detail, figures={**figures})


def _told(made: PlannerCalibration) -> str:
    """Say the deciding figures in a few words."""
    error, ranking = made.figures.get("ece"), made.figures.get("auroc")
    told = [
        text
        for text in (
            None if error is None else f"calibration error {error:.3f}",
            None if ranking is None else f"AUROC {ranking:.2f}",
        )
        if text
    ]
    return f"; {', '.join(told)}" if told else ""
