"""Every block of code in the documents runs, parses or loads; no block is of a kind that nothing checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import PAGES, Fence, all_fences, fences

from planwarden import Planwarden, Task, load_settings
from planwarden.configuration.catalog_file import load_catalog_file

pytestmark = pytest.mark.requirement("DOC-2")

KINDS = {"python", "sh", "json", "yaml", "mermaid", "text"}
"""`text` is output and formulas; `sh` is checked against the command line, `mermaid` by the site's build."""


def place_of(fence: Fence) -> str:
    return fence.place


def environment(folder: Path) -> dict[str, str]:
    settings = {
        "PLANNER_LLM__PROVIDER": "embedded",
        "LLM__PROVIDER": "embedded",
        "PLANWARDEN_HOME": str(folder),
    }
    return {**os.environ, **settings, "PYTHONDONTWRITEBYTECODE": "1"}


def test_every_block_says_what_it_is() -> None:
    unknown = [fence.place for page in PAGES for fence in fences(page) if fence.info not in KINDS]
    assert not unknown


@pytest.mark.live
@pytest.mark.parametrize("fence", all_fences("python"), ids=place_of)
def test_a_python_block_runs(fence: Fence, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(fence.body, "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=environment(tmp_path / "home"),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("fence", all_fences("json"), ids=place_of)
def test_a_json_block_parses(fence: Fence) -> None:
    json.loads(fence.body)


@pytest.mark.anyio
async def test_the_plan_in_the_reference_is_accepted(tmp_path: Path) -> None:
    [plan] = [fence for fence in all_fences("json") if fence.place.startswith("docs/reference/plan.md")]
    settings = load_settings({"planwarden_home": tmp_path})
    async with Planwarden.open(settings) as pw:
        accepted = await pw.accept_plan(plan.body, Task(prompt="What is the price of IBM?"))
    assert [step.id for step in accepted.steps] == ["s1", "s2"]


@pytest.mark.anyio
@pytest.mark.parametrize("fence", all_fences("yaml"), ids=place_of)
async def test_a_yaml_block_loads_as_a_catalog(fence: Fence, tmp_path: Path) -> None:
    text = fence.body
    if "version: 1" not in text:  # a part of a file: put after a head that has what it speaks of
        agents = "agents: {enterprise_agent: {description: d, tools: [data.query, files.write]}}\n"
        text = f"version: 1\n{agents}{text}"
    (tmp_path / "planwarden.yaml").write_text(text, "utf-8")
    (tmp_path / "my_tools.py").write_text(own_tool_of_the_guide(), "utf-8")
    loaded = load_catalog_file(tmp_path / "planwarden.yaml")
    settings = load_settings({"planwarden_home": tmp_path, "planwarden_config": tmp_path / "planwarden.yaml"})
    async with Planwarden.open(settings) as pw:
        world = await pw.world()
    assert set(world.catalog.agents) == set(loaded.file.agents)


def own_tool_of_the_guide() -> str:
    found = [fence.body for fence in all_fences("python") if fence.place.startswith("docs/guides/tool.md")]
    return found[0]
