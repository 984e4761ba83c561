"""The exported dossier is held against the journal once the run is over, and not before."""

from __future__ import annotations

from pathlib import Path

import pytest

from planwarden.audit.dossier import build_dossier
from planwarden.audit.export import dossier_path, file_faults, older_export, write_dossier
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.stage import Stage, plan_of

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("DOS-21")]

AGENT = AgentSpec(name="worker", description="Works", tools=("look",))


async def test_a_changed_export_is_found_only_where_the_run_is_over(tmp_path: Path) -> None:
    with ScriptedLLM("seen [s1.1].") as llm:
        stage = Stage(agents=(AGENT,), tools={"look": CannedTool("look")}, agent_llm=llm)
        plan = plan_of(PlannedAgentStep(id="s1", agent="worker", tools=("look",)))
        state = await stage.orchestrator().route_task(Task(prompt="Look"), plan)
    dossier = await stage.dossier(state.run_id)
    write_dossier(tmp_path, dossier)
    assert file_faults(tmp_path, dossier) == ()
    path = dossier_path(tmp_path, dossier.run_id)
    path.write_bytes(path.read_bytes().replace(b"Look", b"Took", 1))
    assert [fault.run_id for fault in file_faults(tmp_path, dossier)] == [dossier.run_id]
    events = await stage.record.read(dossier.run_id)
    links = await stage.record.links(dossier.run_id)
    assert older_export(tmp_path, dossier.run_id, events, links) is None
    grown = dossier.model_copy(update={"status": "running"})
    assert file_faults(tmp_path, grown) == ()


async def test_an_export_of_any_earlier_moment_is_known_and_nothing_else_passes_as_one(
    tmp_path: Path,
) -> None:
    with ScriptedLLM("seen [s1.1].") as llm:
        stage = Stage(agents=(AGENT,), tools={"look": CannedTool("look")}, agent_llm=llm)
        plan = plan_of(PlannedAgentStep(id="s1", agent="worker", tools=("look",)))
        run_id = (await stage.orchestrator().route_task(Task(prompt="Look"), plan)).run_id
    events, links = await stage.record.read(run_id), await stage.record.links(run_id)
    assert older_export(tmp_path, run_id, events, links) is None
    for count in range(1, len(links)):
        path = write_dossier(tmp_path, build_dossier(events[:count], links[:count]))
        assert older_export(tmp_path, run_id, events, links) == count
        whole = path.read_bytes()
        for other in (whole.replace(b"Look", b"Took", 1), whole + b" ", whole[:-1]):
            path.write_bytes(other)
            assert older_export(tmp_path, run_id, events, links) is None
    for other in (b"", b"[]", b"{}", b'{"events":7}', b'{"events":[1]}', b"[" * 100_000, b"\xff"):
        path = dossier_path(tmp_path, run_id)
        path.write_bytes(other)
        assert older_export(tmp_path, run_id, events, links) is None
    write_dossier(tmp_path, build_dossier(events, links))
    assert older_export(tmp_path, run_id, events, links) is None
