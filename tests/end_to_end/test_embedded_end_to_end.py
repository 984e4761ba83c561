"""Every end-to-end task with the embedded model, which is a small mind: its plans and answers may be wrong.

What must hold in each is that tool-first, plan and policy are kept and the record verifies; how many outcomes
are right is printed (`make e2e`) and may not fall below what was measured.
"""

from __future__ import annotations

import pytest
from judging import carry_out, table
from tasks import TASKS

from planwarden import Planwarden, load_settings

pytestmark = [pytest.mark.live, pytest.mark.anyio]

FLOOR = 42
"""Right outcomes that were measured, less three for other processors' rounding."""


@pytest.mark.requirement("E2E-12")
async def test_tool_first_plan_and_policy_are_kept_in_every_task_and_the_measured_share_comes_out_right(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path_factory.mktemp("embedded")
    monkeypatch.setenv("PLANNER_LLM__PROVIDER", "embedded")
    monkeypatch.setenv("LLM__PROVIDER", "embedded")
    monkeypatch.setenv("PLANWARDEN_HOME", str(home))
    monkeypatch.chdir(home)
    async with Planwarden.open(load_settings()) as planwarden:
        judged = [await carry_out(planwarden, task) for task in TASKS]
    with capsys.disabled():
        print(f"\n{table(judged)}")  # noqa: T201 - `make e2e` shows it
    assert [each.breaches for each in judged if each.breaches] == []
    assert sum(each.right_outcome for each in judged) >= FLOOR
