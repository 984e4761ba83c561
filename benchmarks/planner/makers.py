"""The product's planner, fitted on some tasks or as it ships; no other part knows how it is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.planner.bench import Mode

from planwarden.app.assembly import make_planner
from planwarden.catalog.catalog import Catalog
from planwarden.configuration.settings import PlannerModel
from planwarden.contracts.clock import Clock
from planwarden.contracts.memory import RememberedPlan
from planwarden.evaluation.contestants import PlannerContestant
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.evaluation.remembered import remembered_plans
from planwarden.llm.service import LLMService
from planwarden.planning.planner import LLMOrchestrationPlanner
from planwarden.planning.prior import Prior, PriorRequest, PriorSource
from planwarden.planning.shortlist import Retriever


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPlanners:
    """Makes planners of these settings."""

    settings: PlannerModel
    clock: Clock

    def fitted(self, known: Sequence[PlanTask]) -> ProductPlanner:
        """Fit the ranker on the tasks, and remember their plans."""
        return ProductPlanner(settings=self.settings, clock=self.clock, remembered=remembered_plans(known))

    def shipped(self) -> ProductPlanner:
        """Take the ranker that ships; nothing is remembered."""
        return ProductPlanner(settings=self.settings, clock=self.clock)


class Interim:
    def __init__(self) -> None:
        self._retriever = Retriever()

    def prepare(self, catalog: Catalog) -> None:
        self._retriever.prepare(catalog)

    def prior(self, request: PriorRequest) -> Prior:
        self._retriever.shortlist(request.text, request.catalog, request.policy, size=8, near=0.5, fill=True)
        return Prior(tools=(), agents={})

    def close(self) -> None:
        self._retriever.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPlanner:
    """A planner that knows certain tasks."""

    settings: PlannerModel
    clock: Clock
    remembered: tuple[RememberedPlan, ...] = ()

    def source(self) -> PriorSource:
        """Give where its priors come from, with nothing indexed in this process yet."""
        return Interim()

    def planner(self, mode: Mode, llm: LLMService) -> LLMOrchestrationPlanner:
        """Give the planner in a mode, with a model to ask."""
        return make_planner(
            self.settings.model_copy(update={"guided": "auto" if mode == "fused" else "no"}), llm
        )

    def contestant(self, mode: Mode, llm: LLMService) -> PlannerContestant:
        """Give the same for tasks that bring their own tools, with what it remembers."""
        return PlannerContestant(
            planner=self.planner(mode, llm), clock=self.clock, remembered=self.remembered
        )


def prior_alone() -> LLMOrchestrationPlanner:
    from planwarden.contracts.model import ModelIdentity
    from planwarden.llm.wrappers.absent import AbsentLLM

    return make_planner(PlannerModel(), AbsentLLM(ModelIdentity(provider="none", model="none")))
