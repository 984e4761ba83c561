from __future__ import annotations

from pathlib import Path

import pytest

from planwarden import Planwarden, load_settings
from planwarden.app.assembly import make_prior
from planwarden.app.calibration import calibrations_in_force
from planwarden.evaluation.soak.campaign import Wanted, soak
from planwarden.evaluation.soak.stage import RealPlanner

pytestmark = [pytest.mark.live, pytest.mark.anyio, pytest.mark.requirement("SOAK-9")]


async def test_the_embedded_model_plans_and_nothing_gets_past(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANNER_LLM__PROVIDER", "embedded")
    monkeypatch.setenv("PLANWARDEN_HOME", str(tmp_path / "home"))
    settings = load_settings()
    async with Planwarden.open(settings) as planwarden:
        real = RealPlanner(
            llm=await planwarden.model("planner"),
            chosen=settings.planner_llm,
            calibrated=calibrations_in_force(settings),
        )
        wanted = Wanted(runs=6, seed=2, planner="embedded")
        totals = await soak(wanted, make_prior(settings), planwarden.clock, real)
        assert real.llm.identity.provider == "embedded"
        await real.llm.aclose()
    assert totals.findings == []
    assert totals.passed
    assert totals.sources["planner"] + totals.sources["prior"] > 0
