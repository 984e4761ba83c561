"""Bad input on the command line: a clear error, the right exit code, nothing lost, nothing half-written."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from planwarden.configuration.settings import load_settings
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.task import MAX_PROMPT_CHARS
from planwarden.llm.embedded import model_file
from surfaces_kit import Cli, Mind, plan_file

TASK = "What is the latest price of IBM?"
LOOK = {"id": "s1", "agent": "finance_agent", "tools": ["finance.snapshot"]}


def a_run(cli: Cli) -> str:
    said = cli("run", TASK, "--json")
    assert said.code == 0, said
    return said.json["run_id"]


# ---- the task ----------------------------------------------------------------------------------------


@pytest.mark.requirement("BAD-1")
@pytest.mark.parametrize(
    ("stdin", "problem"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"price of\x00IBM", "NUL"),
        (bytes(range(128, 256)) * 10, "UTF-8"),
        (b"\x00" * 5_000, "NUL"),
        (b"x" * (MAX_PROMPT_CHARS + 1), "too long"),
    ],
    ids=["empty", "blank", "NUL", "binary", "only NULs", "long"],
)
def test_a_task_that_is_none_is_refused_before_anything_begins(
    offline: Cli, home: Path, stdin: bytes, problem: str
) -> None:
    for command in ("plan", "run"):
        told = offline(command, "-", "--json", stdin=stdin).error(2, "task_rejected")
        assert problem in told["message"]
    assert not home.exists()


@pytest.mark.requirement("BAD-1")
def test_a_task_of_50_mb_is_refused_without_being_read_whole(offline: Cli, home: Path) -> None:
    told = offline("run", "-", "--json", stdin="é".encode() * 25 * 2**20).error(2, "task_rejected")
    assert "too long" in told["message"]
    assert "--data" in told["remedy"]
    assert len(told["message"]) < 200
    assert not home.exists()


@pytest.mark.requirement("BAD-1")
def test_arguments_that_are_no_text_or_too_long_are_refused(program: list[str], home: Path) -> None:
    for argument in (b"price of \xff\xfe", b"x" * 120_000):
        done = subprocess.run(
            [*program, "plan", argument, "--json"], capture_output=True, check=False, timeout=100
        )
        assert done.returncode == 2, done
        assert json.loads(done.stdout)["error"]["code"] == "task_rejected"
        assert b"Traceback" not in done.stderr
    assert not home.exists()


@pytest.mark.requirement("BAD-1")
@pytest.mark.parametrize("conversation", ["", "c" * 257])
def test_a_conversation_id_that_cannot_be_used_is_named(offline: Cli, conversation: str) -> None:
    told = offline("run", TASK, "--conversation", conversation, "--json").error(2, "input_error")
    assert "--conversation" in told["message"]


@pytest.mark.requirement("BAD-2")
@pytest.mark.parametrize(
    "task",
    [
        "IBM 的最新股价是多少?",
        "Wie hoch ist der letzte Kurs von IBM, größer als 100 €?",
        "ما هو آخر سعر لسهم IBM؟",
        "📈 IBM 👩\u200d👩\u200d👧?",
    ],
    ids=["Chinese", "German", "Arabic", "emoji"],
)
def test_a_task_in_any_language_is_planned_and_kept_as_written(cli: Cli, task: str) -> None:
    assert PlannerPlan.model_validate_json(cli("plan", task, "--json").out).steps
    said = cli("run", "-", "--json", stdin=task.encode())
    assert said.code == 0
    run_id = said.json["run_id"]
    assert cli("dossier", "show", run_id, "--format", "json").json["task"]["prompt"] == task
    assert task in cli("dossier", "show", run_id).out
    assert cli("dossier", "verify", run_id).code == 0


# ---- plans that people bring along -------------------------------------------------------------------


def brought(offline: Cli, content: bytes, tmp_path: Path) -> Any:
    path = tmp_path / "brought.json"
    path.write_bytes(content)
    return offline("run", TASK, "--plan", str(path), "--json")


@pytest.mark.requirement("BAD-3")
@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "JSON"),
        (b"\xff\xfe\x00", ""),
        (b"hello", "JSON"),
        (b"[]", ""),
        (b"[" * 100_000, ""),
        (b'{"agents": ["finance_agent"]}', "steps"),
        (b'{"agents": ["a"], "steps": [], "metadata": {"source": "edited"}}', ""),
        (b'{"steps": [{"id": "s1", "agent": "finance_agent"' + b" " * 10 * 2**20 + b"}]}", ""),
        (b'{"confidence": NaN}', ""),
    ],
    ids=["empty", "binary", "text", "list", "nested", "legacy", "legacy too", "10 MB", "NaN"],
)
def test_a_plan_file_that_is_no_plan_is_refused(
    offline: Cli, home: Path, tmp_path: Path, content: bytes, named: str
) -> None:
    told = brought(offline, content, tmp_path).error(2, "plan_rejected")
    assert named in told["message"]
    assert len(told["message"]) < 1_000
    assert not (home / "journal.db").exists()


@pytest.mark.requirement("BAD-3")
@pytest.mark.parametrize(
    ("step", "named"),
    [
        ({**LOOK, "tools": ["finance.crystal_ball"]}, "finance.crystal_ball"),
        ({**LOOK, "agent": "oracle_agent"}, "oracle_agent"),
        ({**LOOK, "tools": ["utils.clock"]}, "utils.clock"),
        ({**LOOK, "tools": []}, "steps[0]"),
    ],
)
def test_a_plan_that_names_what_is_not_there_is_refused_with_the_name(
    offline: Cli, tmp_path: Path, step: dict[str, Any], named: str
) -> None:
    told = offline("run", TASK, "--plan", plan_file(tmp_path, step), "--json").error(2, "plan_rejected")
    assert named in told["message"]


@pytest.mark.requirement("BAD-3")
def test_a_plan_file_that_is_missing_or_a_folder_is_named(offline: Cli, tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        told = offline("run", TASK, "--plan", str(path), "--json").error(2, "plan_rejected")
        assert str(path) in told["message"]


@pytest.mark.requirement("BAD-3")
@pytest.mark.requirement("CLI-13")
def test_a_plan_that_policy_denies_ends_with_4_and_records_nothing(
    offline: Cli, home: Path, tmp_path: Path
) -> None:
    offline("init")
    path = Path("planwarden.yaml")
    path.write_text(path.read_text().replace("allow: [finance.*]", "deny: [finance.*]"))
    plan = plan_file(tmp_path, LOOK)
    told = offline("run", TASK, "--plan", plan, "--json").error(4, "plan_denied")
    assert "finance.snapshot" in told["message"]
    assert not (home / "journal.db").exists()


# ---- data, catalog, settings -------------------------------------------------------------------------


@pytest.mark.requirement("BAD-4")
def test_data_that_cannot_be_used_is_named(offline: Cli, home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.csv").write_bytes(b'a,b\n"1,2\n\x00\xff\xfe' + bytes(range(256)))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "what.xyz").write_text("?")
    for name in ("nothing.csv", "empty", "broken.csv", "broken.parquet", "what.xyz"):
        path = tmp_path / name
        told = offline("run", TASK, "--data", str(path), "--json").error(2, "data_rejected")
        assert name in told["message"]
    assert not (home / "journal.db").exists()


@pytest.mark.requirement("BAD-5")
@pytest.mark.parametrize(
    "content",
    [
        b"{: not yaml",
        b"\x00\x01\x02",
        b"\xff\xfe",
        b"just text",
        b"[]",
        b"",
        b"version: 2\nagents: {}",
        b"a: &a [*a]",
    ],
)
def test_a_catalog_that_is_none_is_refused_with_file_and_remedy(
    offline: Cli, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    for command in (("agents",), ("tools",), ("plan", TASK), ("run", TASK)):
        told = offline(*command, "--config", str(path), "--json").error(2, "catalog_rejected")
        assert "c.yaml" in told["message"]


@pytest.mark.requirement("BAD-5")
def test_a_catalog_that_is_missing_is_named(offline: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    told = offline("agents", "--config", "none.yaml", "--json").error(2, "catalog_rejected")
    assert "none.yaml" in told["message"]
    monkeypatch.setenv("PLANWARDEN_CONFIG", "gone.yaml")
    assert "gone.yaml" in offline("plan", TASK, "--json").error(2, "catalog_rejected")["message"]


@pytest.mark.requirement("BAD-9")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PLANNER_LLM__TEMPERATURE", "hot"),
        ("PLANNER_LLM__TEMPERATURE", "nan"),
        ("PLANNER_LLM__MAX_AGENTS", "5"),
        ("LLM__PROVIDER", "gpt"),
        ("LLM__NUM_CTX", "-1"),
        ("LLM__COLOUR", "blue"),
        ("PLANWARDEN_LEASE_S", "0"),
        ("LLM", "{broken"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    offline: Cli, home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    for command in (("runs",), ("run", TASK)):
        told = offline(*command, "--json").error(2, "settings_rejected")
        assert variable.lower() in told["message"].lower()
    examined = offline("doctor", "--json")
    assert examined.code == 2
    (named,) = [check for check in examined.json["checks"] if check["group"] == "settings"]
    assert variable.lower() in named["detail"].lower()
    assert named["remedy"]
    assert not home.exists()


@pytest.mark.requirement("BAD-9")
@pytest.mark.parametrize("url", ["ftp://x", "no url", "http://", "http://[::1"])
def test_a_base_url_that_is_none_is_named(offline: Cli, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PLANNER_LLM__BASE_URL", url)
    assert "PLANNER_LLM__BASE_URL" in offline("plan", TASK, "--json").error(2, "settings_rejected")["message"]


# ---- the model's file --------------------------------------------------------------------------------


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__PROVIDER", "embedded")


@pytest.mark.requirement("BAD-6")
@pytest.mark.usefixtures("embedded")
def test_no_model_file_at_all_is_said_with_the_command_that_gets_it(offline: Cli, home: Path) -> None:
    told = offline("run", TASK, "--json").error(2, "model_file_rejected")
    assert "planwarden models fetch" in told["remedy"]
    assert not list(home.rglob("*.json"))
    bad = [check for check in offline("doctor", "--json").json["checks"] if check["status"] == "bad"]
    assert {check["group"] for check in bad} == {"machine", "planner model", "agents' model"}
    assert all("planwarden models fetch" in check["remedy"] for check in bad)


@pytest.mark.requirement("BAD-6")
def test_a_model_file_with_one_wrong_byte_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: Cli
) -> None:
    monkeypatch.delenv("PLANWARDEN_CACHE")
    cached = model_file.find(load_settings().planwarden_cache / "models")
    if cached is None:
        pytest.skip("the embedded model's file is not in this user's cache: planwarden models fetch")
    folder = tmp_path / "cache" / "models"
    folder.mkdir(parents=True)
    wrong = folder / cached.name
    shutil.copyfile(cached, wrong)
    with wrong.open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)
        file.seek(50_000_000)
        file.write(bytes([byte[0] ^ 1]))
    monkeypatch.setenv("PLANWARDEN_CACHE", str(tmp_path / "cache"))
    for role in ("PLANNER_LLM", "LLM"):
        monkeypatch.setenv(f"{role}__PROVIDER", "embedded")
    try:
        told = offline("run", TASK, "--json").error(2, "model_file_rejected")
        assert "expected sha256:" in told["message"]
        assert "planwarden models fetch" in told["remedy"]
        assert offline("runs", "--json").json == []
    finally:
        wrong.unlink()


# ---- the journal -------------------------------------------------------------------------------------


@pytest.mark.requirement("BAD-7")
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.95])
def test_a_truncated_journal_is_refused_and_left_as_it_is(cli: Cli, home: Path, keep: float) -> None:
    run_id = a_run(cli)
    path = home / "journal.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    whole = path.read_bytes()
    cut = whole[: int(len(whole) * keep)]
    path.write_bytes(cut)
    for command in (("runs",), ("run", TASK), ("dossier", "verify", run_id), ("resume", run_id)):
        told = cli(*command, "--json").error(6, "store_corrupt")
        assert str(path) in told["message"]
    assert path.read_bytes() == cut
    assert (home / "dossiers" / f"{run_id}.json").is_file()


@pytest.mark.requirement("BAD-7")
def test_a_journal_of_another_schema_version_is_refused_and_left_as_it_is(cli: Cli, home: Path) -> None:
    run_id = a_run(cli)
    path = home / "journal.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    for command in (("runs",), ("run", TASK), ("dossier", "show", run_id, "--format", "json")):
        form = () if command[0] == "dossier" else ("--json",)
        assert "99" in cli(*command, *form).error(2, "store_version")["message"]
    assert path.read_bytes() == before


@pytest.mark.requirement("BAD-7")
def test_another_programs_database_is_refused_and_left_as_it_is(cli: Cli, home: Path) -> None:
    home.mkdir()
    path = home / "journal.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
    database.close()
    before = path.read_bytes()
    cli("run", TASK, "--json").error(2, "store_version")
    assert path.read_bytes() == before


@pytest.mark.requirement("BAD-8")
def test_a_home_that_cannot_be_written_is_said_with_the_variable_to_set(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in ("/proc/planwarden", "/dev/null/planwarden", str(tmp_path / "file")):
        monkeypatch.setenv("PLANWARDEN_HOME", place)
        for command in (("run", TASK), ("runs",)):
            told = cli(*command, "--json").error(2, "store_unavailable")
            assert "PLANWARDEN_HOME" in told["remedy"]
            assert place in told["message"]


@pytest.mark.requirement("BAD-8")
def test_on_a_read_only_disk_nothing_begins_and_what_there_is_can_be_read(
    cli: Cli, home: Path, program: list[str]
) -> None:
    run_id = a_run(cli)
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    prefix = ["unshare", "-rm", "sh", "-c", script, str(home)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine does not let us mount a disk read-only")
    before = (home / "journal.db").read_bytes()
    done = subprocess.run(
        [*prefix, *program, "run", TASK, "--json"], capture_output=True, check=False, timeout=100
    )
    assert done.returncode == 2, done
    assert json.loads(done.stdout)["error"]["code"] == "store_unavailable"
    assert b"Traceback" not in done.stderr
    assert (home / "journal.db").read_bytes() == before
    assert cli("dossier", "verify", run_id).code == 0


@pytest.mark.requirement("DOS-20")
def test_where_the_dossier_cannot_be_written_the_run_is_in_the_journal_and_the_error_says_so(
    cli: Cli, home: Path, mind: Mind
) -> None:
    def take_the_folder_away() -> None:
        home.mkdir(exist_ok=True)
        (home / "dossiers").write_text("in the way")

    mind.on_answer = take_the_folder_away
    told = cli("run", TASK, "--json").error(2, "store_unavailable")
    assert "journal" in told["remedy"]
    (row,) = cli("runs", "--json").json
    assert row["run_id"] in told["message"]
    assert row["status"] == "completed"
    (home / "dossiers").unlink()
    assert cli("resume", row["run_id"], "--json").code == 0
    assert cli("dossier", "verify", row["run_id"]).code == 0
    assert [each.name for each in (home / "dossiers").iterdir()] == [f"{row['run_id']}.json"]


@pytest.mark.requirement("BAD-10")
@pytest.mark.parametrize(
    "run_id",
    ["nix", "../../etc/passwd", "/etc/passwd", "r1\nr2", "", "r'; DROP TABLE runs; --", "%s", "é" * 300],
)
def test_a_run_that_is_not_there_is_said_whatever_its_name(cli: Cli, home: Path, run_id: str) -> None:
    kept = a_run(cli)
    for command in (
        ("resume", "--json"),
        ("cancel", "--json"),
        ("resolve", "--approve", "--json"),
        ("dossier", "verify", "--json"),
        ("dossier", "show", "--format", "json"),
    ):
        told = cli(*command, "--", run_id).error(2, "run_not_found")
        assert "planwarden runs" in told["remedy"]
    assert [row["run_id"] for row in cli("runs", "--json").json] == [kept]
    assert [each.name for each in (home / "dossiers").iterdir()] == [f"{kept}.json"]


@pytest.mark.requirement("BAD-1")
def test_a_model_that_plans_nonsense_still_ends_in_a_valid_plan(cli: Cli, mind: Mind) -> None:
    mind.steps = ["oracle_agent/crystal.ball"]
    said = cli("plan", TASK, "--json")
    assert said.code == 0
    plan = PlannerPlan.model_validate_json(said.out)
    assert plan.metadata.source == "fallback"
    assert plan.steps[0].agent == "general_agent"
    assert "refused at" in said.err
