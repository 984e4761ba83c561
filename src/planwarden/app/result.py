"""What came of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from planwarden.contracts.calls import StepAnswer
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.run import RunState, RunStatus, final_answer


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of a run, as far as it got."""

    state: RunState
    dossier: Dossier
    dossier_path: Path

    @property
    def run_id(self) -> str:
        """Name the run."""
        return self.state.run_id

    @property
    def status(self) -> RunStatus:
        """Say where the run stands."""
        return self.state.status

    @property
    def plan(self) -> PlannerPlan | None:
        """Give the plan that was followed."""
        return self.state.decision.plan if self.state.decision else None

    @property
    def answer(self) -> StepAnswer | None:
        """Give the answer with its evidence."""
        return final_answer(self.state)
