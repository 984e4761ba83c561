"""`planwarden tools`: list, test, packages, new."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from surfaces_kit import Cli

CATALOG = """version: 1
agents:
  general_agent: {{description: d, tools: [utils.calculator], may_answer_without_tools: true}}
tools:
  utils.calculator:
    examples:
      - add numbers
      - {{request: add one and one, arguments: {{expression: 1 + 1}}, returns: {{result: {result}}}}}
"""


@pytest.mark.requirement("CLI-20")
def test_tools_are_tried_and_the_exit_code_tells_how_it_went(offline: Cli, tmp_path: Path) -> None:
    everything = offline("tools", "test", "--json")
    assert everything.code == 0
    assert everything.json["counts"]["failed"] == 0
    assert {trial["tool"] for trial in everything.json["trials"]} >= {"files.write", "enterprise.playbook"}
    one = offline("tools", "test", "utils.calculator")
    assert (one.code, "391" in one.out, "2 ok, 0 failed, 0 skipped" in one.out) == (0, False, True)

    config = tmp_path / "planwarden.yaml"
    config.write_text(CATALOG.format(result=2), "utf-8")
    assert offline("tools", "test", "utils.calculator", "--config", str(config)).code == 0
    config.write_text(CATALOG.format(result=3), "utf-8")
    failed = offline("tools", "test", "utils.calculator", "--config", str(config))
    assert failed.code == 3
    assert "result.result: expected 3, got 2" in failed.out

    skipped = offline("tools", "test", "web.search", "--json")
    assert skipped.code == 3
    assert "TOOLS__WEB_SEARCH_URL" in skipped.json["trials"][0]["problems"][0]


@pytest.mark.requirement("CLI-20")
def test_an_unknown_tool_is_refused_with_near_names(offline: Cli) -> None:
    told = offline("tools", "test", "calculator", "--json").error(2, "input_error")
    assert "utils.calculator" in told["remedy"]
    assert "before" not in offline("tools", "--json", "test").err
    assert offline("tools", "--json", "test").code == 2


@pytest.mark.requirement("CLI-20")
def test_a_network_tool_is_listed_once_configured_and_tried_only_with_consent(
    offline: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_out = offline("tools")
    assert "left out: web.search: no search service is configured: set TOOLS__WEB_SEARCH_URL" in left_out.err
    monkeypatch.setenv("TOOLS__WEB_SEARCH_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TOOLS__QUOTES_URL", "http://127.0.0.1:1/{symbol}")
    tools = {tool["name"]: tool for tool in offline("tools", "--json").json}
    assert tools["web.search"]["agents"] == ["research_agent"]
    assert tools["finance.quote"]["agents"] == ["finance_agent"]
    assert tools["finance.snapshot"]["alternatives"] == ["finance.analytics", "finance.quote"]
    (trial,) = offline("tools", "test", "web.search", "--json").json["trials"]
    assert (trial["outcome"], trial["problems"]) == ("skipped", ["it asks a server; --yes tries it"])
    (trial,) = offline("tools", "test", "web.search", "--json", "--yes").json["trials"]
    assert trial["outcome"] == "failed"
    assert "127.0.0.1:1 cannot be asked" in trial["problems"][0]


@pytest.mark.requirement("CLI-21")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Stock tools", "like 'stock-tools'"),
        ("stock--tools", "like 'stock-tools'"),
        ("7up", "like 'stock-tools'"),
        ("class", "taken"),
        ("json", "taken"),
        ("planwarden", "taken"),
        ("x" * 41, "at most 40"),
    ],
)
def test_a_name_that_no_package_can_have_is_refused(
    offline: Cli, tmp_path: Path, name: str, says: str
) -> None:
    said = offline("tools", "new", str(tmp_path / name))
    assert said.code == 2
    assert says in " ".join(said.err.split())
    assert not (tmp_path / name).exists()


@pytest.mark.requirement("CLI-21")
def test_a_folder_that_is_there_is_left_as_it_is(offline: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    (tmp_path / "single").write_text("x")
    for name in ("mine", "single"):
        assert offline("tools", "new", str(tmp_path / name)).code == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]
    (tmp_path / "empty").mkdir()
    assert offline("tools", "new", str(tmp_path / "empty")).code == 0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.requirement("CLI-21", "TOOL-15")
def test_a_new_package_builds_installs_loads_and_passes_its_own_tests(
    offline: Cli, tmp_path: Path, program: list[str]
) -> None:
    folder, site = tmp_path / "stock-tools", tmp_path / "site"
    assert offline("tools", "new", str(folder)).code == 0
    pip = "install --quiet --no-deps --no-build-isolation --no-index --disable-pip-version-check --target"
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*command: str, cwd: Path = folder, path: tuple[str, ...] = ()) -> str:
        ours = [*path, *(p for p in [os.environ.get("PYTHONPATH", "")] if p)]
        done = subprocess.run(
            command,
            cwd=cwd,
            env={
                **environment,
                "PYTHONPATH": os.pathsep.join(ours),
                "STOCK_TOOLS_FOLDER": str(tmp_path / "n"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "pip", *pip.split(), str(site), ".")
    installed = (str(site),)
    (listed,) = json.loads(run(*program, "tools", "packages", "--json", path=installed))
    assert (listed["name"], listed["version"], listed["loaded"]) == ("stock-tools", "0.1.0", True)
    elsewhere = run(*program, "tools", "packages", cwd=tmp_path, path=installed)
    assert "packages: [stock-tools]" in elsewhere
    told = json.loads(run(*program, "tools", "test", "--yes", "--json", path=installed))
    own = {trial["tool"]: trial["outcome"] for trial in told["trials"] if "stock_tools" in trial["tool"]}
    assert own == {"stock_tools.define": "ok", "stock_tools.note": "ok"}
    tools = {tool["name"]: tool for tool in json.loads(run(*program, "tools", "--json", path=installed))}
    assert tools["stock_tools.note"]["provided_by"] == "stock-tools 0.1.0"
    assert "4 passed" in run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
