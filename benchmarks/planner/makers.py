"""The product's planner, fitted on some tasks or as it ships; no other part knows how it is put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.planner.bench import Mode

from planwarden.app.assembly import make_planner
from planwarden.app.calibration import calibrations_in_force
from planwarden.configuration.settings import PlannerModel, Settings
from planwarden.contracts.clock import Clock
from planwarden.contracts.memory import RememberedPlan
from planwarden.evaluation.contestants import PlannerContestant
from planwarden.evaluation.labelled import labelled
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.evaluation.remembered import remembered_plans
from planwarden.llm.service import LLMService
from planwarden.planning.learning.fit import fit_ranker
from planwarden.planning.planner import LLMOrchestrationPlanner
from planwarden.planning.prior import PriorSource
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.kept import KeptEmbeddings
from planwarden.planning.ranking.learned_prior import LearnedPrior
from planwarden.planning.ranking.weights import RankerWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPlanners:
    """Makes planners of these settings; they share the encoder, which knows no tasks."""

    settings: PlannerModel
    clock: Clock
    tell: Callable[[str], None]
    folder: Path
    """A home of its own: no measurements or indexes of this machine, so that the first is the first."""
    encoder: SentenceEncoder = field(default_factory=SentenceEncoder)

    def fitted(self, known: Sequence[PlanTask]) -> ProductPlanner:
        """Fit the ranker on the tasks, and remember their plans; nothing else comes into it."""
        weights = fit_ranker([labelled(task) for task in known], self.encoder, progress=self.tell)
        return ProductPlanner(
            settings=self.settings,
            clock=self.clock,
            encoder=self.encoder,
            folder=self.folder,
            weights=weights,
            remembered=remembered_plans(known),
        )

    def shipped(self, *, always_asks: bool = False) -> ProductPlanner:
        """Take the ranker that ships; nothing is remembered."""
        settings = self.settings.model_copy(update={"ask": "always"}) if always_asks else self.settings
        return ProductPlanner(
            settings=settings, clock=self.clock, encoder=SentenceEncoder(), folder=self.folder
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPlanner:
    """A planner that knows certain tasks."""

    settings: PlannerModel
    clock: Clock
    encoder: SentenceEncoder
    folder: Path
    weights: RankerWeights | None = None
    """None: those that ship."""
    remembered: tuple[RememberedPlan, ...] = ()

    def source(self) -> PriorSource:
        """Give where its priors come from, with nothing indexed in this process yet."""
        return LearnedPrior(weights=self.weights, encoder=self.encoder, kept=KeptEmbeddings(self.folder))

    def planner(self, mode: Mode, llm: LLMService) -> LLMOrchestrationPlanner:
        """Give the planner in a mode, with a model to ask."""
        chosen = self.settings.model_copy(update={"mode": mode})
        return make_planner(
            chosen, llm, calibrations_in_force(Settings(planwarden_home=self.folder)), self.source()
        )

    def contestant(self, mode: Mode, llm: LLMService) -> PlannerContestant:
        """Give the same for tasks that bring their own tools, with what it remembers."""
        return PlannerContestant(
            planner=self.planner(mode, llm), clock=self.clock, remembered=self.remembered
        )
