"""`planwarden doctor` as a newcomer meets it: all well, each trouble by itself, everything broken at once."""

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from planwarden.configuration.catalog_file import default_catalog_text
from planwarden.testing.fake_ollama import FakeOllama
from planwarden.testing.obedient_llm import ObedientLLM
from surfaces_kit import Cli, Said

pytestmark = pytest.mark.requirement("CLI-7")

Checks = dict[tuple[str, str], dict[str, Any]]
FIELDS = {"group", "check", "status", "detail", "remedy", "figures", "ok"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[FakeOllama]:
    """Serve an obedient mind as an Ollama server that has both models."""
    fake = FakeOllama(service=ObedientLLM(num_ctx=4096), models=("llama3.2:1b", "llama3.1:8b"))
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with fake.serve():
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__BASE_URL", fake.url)
    for name in [name for name in os.environ if name.startswith("PLANWARDEN_")]:
        if name not in ("PLANWARDEN_HOME", "PLANWARDEN_CACHE"):
            monkeypatch.delenv(name)
    yield fake
    over.set()
    thread.join(20)


def checks(said: Said) -> Checks:
    document = said.json
    assert set(document) == {"version", "ok", "first", "checks"}
    assert document["ok"] is (said.code == 0)
    for check in document["checks"]:
        assert set(check) == FIELDS
        assert check["status"] in ("ok", "warning", "bad", "skipped")
        assert check["ok"] is (check["status"] != "bad")
        assert check["remedy"] or check["status"] in ("ok", "skipped"), check
    return {(check["group"], check["check"]): check for check in document["checks"]}


def troubles(found: Checks) -> set[tuple[str, str]]:
    return {place for place, check in found.items() if check["status"] in ("bad", "warning")}


@pytest.mark.usefixtures("server")
def test_all_is_well_where_all_is_well(offline: Cli) -> None:
    said = offline("doctor", "--json")
    found = checks(said)
    assert said.code == 0
    assert troubles(found) == set()
    groups = list(dict.fromkeys(group for group, _ in found))
    assert groups == [
        "machine", "settings", "catalog", "tools", "store", "planner model", "agents' model",
        "models together",
    ]  # fmt: skip
    for group in ("planner model", "agents' model"):
        for name in ("schema", "temperature and seed", "output limit", "context", "full context", "speed"):
            assert found[group, name]["status"] == "ok"
    assert found["models together", "memory"]["status"] == "ok"
    assert found["store", "journal"]["figures"]["synchronous"] == 2
    assert found["settings", "in force"]["figures"]["PLANNER_LLM__MIN_CONFIDENCE"] == 0.0


@pytest.mark.usefixtures("server")
def test_in_words_it_is_grouped_ends_with_what_to_do_first_and_stays_off_stderr(offline: Cli) -> None:
    said = offline("doctor")
    assert said.code == 0
    for group in ("machine", "store", "planner model", "models together"):
        assert f"\n{group}\n" in f"\n{said.out}"
    assert "12 tools" in said.out
    assert said.out.splitlines()[-1].startswith("nothing to do")
    assert said.err.strip() == ""


def test_quick_asks_the_models_nothing(offline: Cli, server: FakeOllama) -> None:
    found = checks(offline("doctor", "--json", "--quick"))
    assert server.bodies == []
    assert ("planner model", "present") in found
    assert ("planner model", "schema") not in found


def test_a_missing_model_is_named_with_its_pull_and_the_other_is_examined(
    offline: Cli, server: FakeOllama
) -> None:
    server.models = ("llama3.2:1b",)
    said = offline("doctor", "--json")
    found = checks(said)
    assert said.code == 2
    assert troubles(found) == {("agents' model", "opened")}
    assert "ollama pull llama3.1:8b" in found["agents' model", "opened"]["remedy"]
    assert found["planner model", "schema"]["status"] == "ok"
    assert "ollama pull llama3.1:8b" in said.json["first"]
    assert offline("doctor").out.splitlines()[-1].startswith("do first  Run `ollama pull llama3.1:8b`")


@pytest.mark.requirement("DR-5")
def test_everything_broken_at_once_is_each_a_check_with_its_remedy(
    offline: Cli, home: Path, tmp_path: Path
) -> None:
    home.mkdir()
    (home / "journal.db").write_bytes(b"not a journal at all" * 100)
    catalog = tmp_path / "c.yaml"
    catalog.write_text("version: 1\nagents: 7\n")
    said = offline("doctor", "--json", "--config", str(catalog))
    found = checks(said)
    assert said.code == 2
    bad = {place for place, check in found.items() if check["status"] == "bad"}
    assert bad == {
        ("catalog", "catalog"), ("store", "journal"), ("planner model", "opened"),
        ("agents' model", "opened"),
    }  # fmt: skip
    assert "c.yaml, line 2" in found["catalog", "catalog"]["detail"]
    assert "ollama serve" in found["planner model", "opened"]["remedy"]
    assert found["machine", "python"]["status"] == "ok"
    told = offline("doctor", "--config", str(catalog))
    assert told.out.count("what to do") == len(troubles(found))
    assert told.out.splitlines()[-1].startswith("do first")


@pytest.mark.requirement("DR-5")
def test_settings_that_cannot_be_used_are_a_check_and_the_machine_is_looked_at_all_the_same(
    offline: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANNER_LLM__TEMPERATURE", "hot")
    said = offline("doctor", "--json")
    found = checks(said)
    assert said.code == 2
    assert "PLANNER_LLM__TEMPERATURE" in found["settings", "in force"]["detail"]
    assert found["machine", "full-text search"]["status"] == "ok"
    assert not home.exists()


@pytest.mark.usefixtures("server")
@pytest.mark.requirement("DR-3")
def test_a_misspelt_variable_is_a_warning_that_fails_nothing(
    offline: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANNER_LLM_MODEL", "llama3.2:3b")
    said = offline("doctor", "--quick", "--json")
    assert said.code == 0
    assert troubles(checks(said)) == {("settings", "unknown variable")}
    assert said.json["first"] == "unset PLANNER_LLM_MODEL; export PLANNER_LLM__MODEL=…"


@pytest.mark.usefixtures("server")
@pytest.mark.requirement("DR-4")
def test_agents_and_tools_that_nobody_can_use_are_named(offline: Cli) -> None:
    catalog = yaml.safe_load(default_catalog_text())
    del (
        catalog["policies"]["finance_agent"],
        catalog["agents"]["general_agent"],
        catalog["policies"]["general_agent"],
    )
    catalog["policies"]["creative_agent"] = {"rules": [{"name": "none", "deny": ["*"]}]}
    catalog["tools"] = {"utils.clock": {"enabled": False}}
    Path("planwarden.yaml").write_text(yaml.safe_dump(catalog))
    said = offline("doctor", "--quick", "--json")
    found = checks(said)
    assert said.code == 0
    assert troubles(found) == {
        ("catalog", "policy of finance_agent"), ("catalog", "policy of creative_agent"),
        ("catalog", "fallback plan"), ("tools", "finance.snapshot"), ("tools", "finance.analytics"),
        ("tools", "creative.tonecheck"), ("tools", "files.read"), ("tools", "utils.calculator"),
    }  # fmt: skip
    assert "nobody wrote a policy" in found["catalog", "policy of finance_agent"]["detail"]
    assert (
        "allow: [finance.snapshot, finance.analytics]"
        in found["catalog", "policy of finance_agent"]["remedy"]
    )
    assert "no agent has it" in found["tools", "files.read"]["detail"]
    assert found["tools", "utils.clock"]["status"] == "skipped"


@pytest.mark.usefixtures("server")
@pytest.mark.requirement("DR-4")
def test_a_tool_without_data_is_named_with_how_to_give_it_some(offline: Cli, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("# Notes\n\nA lighthouse keeper and a gull.\n")
    found = checks(offline("doctor", "--quick", "--json", "--data", str(notes)))
    assert found["tools", "finance.snapshot"]["status"] == "warning"
    assert "--data PATH" in found["tools", "finance.snapshot"]["remedy"]
    assert found["tools", "finance_agent"]["detail"].startswith("agent left out")


@pytest.mark.usefixtures("server")
@pytest.mark.requirement("DR-4")
def test_the_journal_is_left_as_it_was_and_damage_in_it_is_found(offline: Cli, home: Path) -> None:
    assert checks(offline("doctor", "--quick", "--json"))["store", "integrity"]["status"] == "ok"
    with closing(sqlite3.connect(home / "journal.db")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert "probe" not in tables
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET rootpage = 3 WHERE name = 'runs_by_age'")
        database.commit()
    said = offline("doctor", "--quick", "--json")
    assert said.code == 2
    found = checks(said)
    assert any(found[place]["status"] == "bad" for place in found if place[0] == "store")


@pytest.mark.requirement("DR-5", "BAD-8")
def test_a_home_that_may_not_even_be_looked_into_is_a_check_like_any_other(
    offline: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = Path.stat

    def denied(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if self.is_relative_to(home) or self.is_relative_to(home.with_name("cache")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return really(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", denied)
    monkeypatch.setenv("PLANNER_LLM__PROVIDER", "embedded")
    found = checks(offline("doctor", "--quick", "--json"))
    assert "Permission denied" in found["store", "journal"]["detail"]
    assert "PLANWARDEN_HOME" in found["store", "journal"]["remedy"]
    assert found["machine", "embedded model file"]["remedy"] == "planwarden models fetch"
    assert offline("runs", "--json").error(2, "store_unavailable")


@pytest.mark.usefixtures("server")
@pytest.mark.requirement("DR-4")
def test_a_folder_whose_place_a_file_has_taken_is_said(offline: Cli, home: Path) -> None:
    home.mkdir()
    (home / "dossiers").write_text("in the way")
    found = checks(offline("doctor", "--quick", "--json"))
    assert "not a folder" in found["store", "dossier folder"]["detail"]
    assert found["store", "journal"]["status"] == "ok"


def test_a_lie_of_the_server_reaches_the_command_line(offline: Cli, server: FakeOllama) -> None:
    server.service = ObedientLLM(num_ctx=2048)
    said = offline("doctor", "--json")
    found = checks(said)
    assert said.code == 2
    assert {("planner model", "full context"), ("agents' model", "full context")} <= troubles(found)
    assert "export LLM__NUM_CTX=2048" in found["agents' model", "full context"]["remedy"]


@pytest.mark.usefixtures("server")
def test_the_guide_explains_every_check(offline: Cli) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "doctor.md").read_text()
    explained = {line.split("|")[1].strip() for line in guide.splitlines() if line.startswith("| ")}
    found = checks(offline("doctor", "--json"))
    missing = {name for group, name in found if group != "tools"} - explained
    assert missing == set()


@pytest.mark.usefixtures("server")
@pytest.mark.requirement("DR-6")
def test_a_tool_that_fails_its_own_example_is_bad_with_the_line_that_shows_how(offline: Cli) -> None:
    Path("own.py").write_text(
        "from planwarden import tool\n\n"
        "@tool(name='own.double', effect='read', description='Double a number',\n"
        "      examples=[{'request': 'Double 2', 'arguments': {'number': 2}, 'returns': 5}])\n"
        "def double(number: int) -> int:\n"
        "    return 2 * number\n"
    )
    assert offline("init").code == 0
    path = Path("planwarden.yaml")
    path.write_text(path.read_text().replace("tools: {}", "tools:\n  own.double: {python: own.py:double}"))
    said = offline("doctor", "--quick", "--json")
    found = checks(said)["tools", "own.double"]
    assert (found["status"], found["remedy"]) == ("bad", "planwarden tools test own.double")
    assert "Double 2" in found["detail"]
    assert said.code == 2
