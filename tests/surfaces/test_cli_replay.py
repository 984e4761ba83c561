"""`planwarden replay`: the journal folded again to the same dossier, the plan made again from the same."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from planwarden.contracts.value import digest_bytes
from surfaces_kit import Cli, Mind, flip_a_payload_byte, plan_file

pytestmark = pytest.mark.requirement("IDX-4")
TASK = "What is the latest price of IBM?"


def a_run(cli: Cli) -> str:
    said = cli("run", TASK, "--json")
    assert said.code == 0, said
    return str(said.json["run_id"])


def home_of(tmp_path: Path) -> Path:
    (journal,) = tmp_path.rglob("journal.db")
    return journal.parent


def test_a_run_is_folded_again_to_the_bytes_of_its_exported_dossier(cli: Cli, tmp_path: Path) -> None:
    run_id = a_run(cli)
    told = cli("replay", run_id, "--json").json
    exported = (home_of(tmp_path) / "dossiers" / f"{run_id}.json").read_bytes()
    assert told["dossier_digest"] == digest_bytes(exported)
    assert (told["ok"], told["exported"], told["status"], told["faults"]) == (True, True, "completed", [])
    shown = cli("replay", run_id)
    assert shown.code == 0
    assert "s1.1 finance.snapshot" in shown.out
    assert "the same bytes as the exported file" in shown.out


def test_a_plan_made_again_under_a_changed_catalog_file_is_made_under_the_catalog_of_then(
    cli: Cli, mind: Mind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = a_run(cli)
    changed = tmp_path / "changed.yaml"
    changed.write_text("version: 1\nagents:\n  clerk: {description: Files papers., tools: [files.read]}\n")
    monkeypatch.setenv("PLANWARDEN_CONFIG", str(changed))
    told = cli("replay", run_id, "--plan", "--json").json["plan"]
    assert (told["same"], told["same_prompt"], told["same_model"]) == (True, True, True)
    assert told["now"]["plan"]["steps"] == told["before"]["plan"]["steps"]
    mind.steps = ["finance.analytics"]
    again = cli("replay", run_id, "--plan", "--json").json["plan"]
    assert (again["same"], again["same_prompt"]) == (False, True)
    assert any("finance.snapshot then, finance.analytics now" in line for line in again["differences"])
    assert len(cli("runs", "--json").json) == 1


def test_a_plan_that_was_brought_along_is_not_made_again(cli: Cli, tmp_path: Path) -> None:
    plan = plan_file(tmp_path, {"id": "s1", "agent": "finance_agent", "tools": ["finance.snapshot"]})
    run_id = str(cli("run", TASK, "--plan", plan, "--json").json["run_id"])
    assert cli("replay", run_id, "--plan", "--json").json["plan"] is None
    assert "its plan was brought along" in cli("replay", run_id, "--plan").out


def test_an_altered_record_is_said_and_ends_with_its_exit_code(cli: Cli, tmp_path: Path) -> None:
    run_id = a_run(cli)
    flip_a_payload_byte(home_of(tmp_path), run_id)
    told = cli("replay", run_id, "--json")
    assert (told.code, told.json["ok"]) == (6, False)
    assert "digest does not match" in told.json["faults"][0]["problem"]
    assert "altered" in cli("replay", run_id).err


def test_a_catalog_that_was_not_kept_is_said_with_what_follows(cli: Cli, tmp_path: Path) -> None:
    run_id = a_run(cli)
    with sqlite3.connect(home_of(tmp_path) / "journal.db") as database:
        database.execute("DELETE FROM snapshots WHERE kind = 'catalog'")
    database.close()
    cli("replay", run_id, "--plan", "--json").error(2, "snapshot_missing")
    assert cli("replay", run_id, "--json").json["ok"] is True


def test_catalog_and_policy_of_a_run_are_given_back_by_the_digests_that_its_dossier_names(
    cli: Cli, tmp_path: Path
) -> None:
    dossier = cli("dossier", "show", a_run(cli), "--format", "json").json
    for name, holds in (("catalog_digest", "finance.snapshot"), ("policy_digest", "finance_agent")):
        file = tmp_path / name
        assert cli("dossier", "snapshot", dossier[name], "--out", str(file)).code == 0
        assert digest_bytes(file.read_bytes()) == dossier[name]
        assert holds in cli("dossier", "snapshot", dossier[name]).out
    missing = cli("dossier", "snapshot", "sha256:" + "0" * 64)
    assert missing.code == 2
    assert "snapshot_missing" in missing.err
