"""A planner beside the configured one: on its own model, with its own prior; it holds no tool."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from planwarden.app.assembly import make_planner, make_prior
from planwarden.app.calibration import calibrations_in_force
from planwarden.app.models import ModelShelf
from planwarden.configuration.planner_config import PlannerConfig
from planwarden.configuration.settings import Settings
from planwarden.contracts.model import ModelIdentity
from planwarden.planning.planner import LLMOrchestrationPlanner


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPlanner:
    """A planner that plans and does nothing else."""

    planner: LLMOrchestrationPlanner
    identity: ModelIdentity


@asynccontextmanager
async def open_planner(
    settings: Settings, shelf: ModelShelf, config: PlannerConfig
) -> AsyncGenerator[OtherPlanner]:
    """Open a planner on its model, and close both afterwards; weights in use already are loaded once.

    Raises:
        ModelError, ConfigurationError: the model cannot be had.
    """
    own = settings.model_copy(update={"planner_llm": config.chosen})
    llm = await shelf.planner_on(config.chosen, f"planner.{config.name}")
    try:
        planner = make_planner(config.chosen, llm, calibrations_in_force(own), make_prior(own))
        try:
            yield OtherPlanner(planner=planner, identity=llm.identity)
        finally:
            planner.close()
    finally:
        await llm.aclose()
