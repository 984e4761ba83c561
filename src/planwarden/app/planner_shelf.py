"""The planners on their models, with the one prior and the one memory that they share."""

from __future__ import annotations

from planwarden.app.assembly import make_memory, make_planner, make_prior
from planwarden.app.calibration import calibrations_in_force
from planwarden.app.models import Models
from planwarden.configuration.settings import Settings
from planwarden.llm.wrappers.absent import AbsentLLM
from planwarden.planning.memory.port import PlanMemory
from planwarden.planning.planner import LLMOrchestrationPlanner


class PlannerShelf:
    """Keeps planners, with their indexes, for as long as a Planwarden is open."""

    def __init__(self, settings: Settings, memory: PlanMemory) -> None:
        self._settings = settings
        self._prior = make_prior(settings)
        self._planners: dict[int, LLMOrchestrationPlanner] = {}
        self.memory = make_memory(settings, memory, self._prior)
        """What planning recalls and runs teach."""

    def planner(self, models: Models) -> LLMOrchestrationPlanner:
        """Give the planner on these models."""
        key = id(models.planner)
        if isinstance(models.planner, AbsentLLM):  # it will not be asked, and is of this run alone
            return self._made(models)
        if key not in self._planners:
            self._planners[key] = self._made(models)
        return self._planners[key]

    def _made(self, models: Models) -> LLMOrchestrationPlanner:
        in_force = calibrations_in_force(self._settings)
        return make_planner(self._settings.planner_llm, models.planner, in_force, self._prior)

    def close(self) -> None:
        """Drop the indexes."""
        for planner in self._planners.values():
            planner.close()
        self._planners.clear()
