"""dossier verify --all and --bundle, export, import, key; journal anchor and anchors."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from planwarden.audit.dossier import build_dossier, dossier_bytes
from planwarden.contracts.facts import Fact, RunEnded
from record_kit import OWNER, begun, opened
from surfaces_kit import Cli, drop_the_last_event, flip_a_payload_byte

TASK = "What is the latest price of IBM?"


@pytest.fixture
def run_id(cli: Cli) -> str:
    said = cli("run", TASK, "--json")
    assert said.code == 0
    return said.json["run_id"]


@pytest.mark.requirement("SEAL-8")
def test_the_first_run_that_ends_on_a_day_is_anchored_by_itself(cli: Cli, run_id: str) -> None:
    (first,) = cli("journal", "anchors", "--json").json["anchors"]
    assert (first["number"], first["runs"]) == (1, 1)
    cli("run", TASK, "--json")
    assert len(cli("journal", "anchors", "--json").json["anchors"]) == 1
    said = cli("journal", "anchor")
    assert "anchor 2 over 1 run" in said.out
    assert "nothing grew since anchor 2" in cli("journal", "anchor").out
    listed = cli("journal", "anchors").out.splitlines()
    assert [line.split()[0] for line in listed] == ["1", "2"]


@pytest.mark.requirement("SEAL-8")
def test_a_journal_without_runs_has_nothing_to_anchor(offline: Cli) -> None:
    assert offline("journal", "anchors").out == "no anchors yet: planwarden journal anchor\n"
    assert offline("journal", "anchor").out == "there is nothing to anchor\n"
    assert offline("journal", "anchor", "--json").json == {
        "made": False,
        "anchor": None,
        "added_to_file": None,
    }
    assert "intact  0 runs, 0 events, 0 anchors" in offline("dossier", "verify", "--all").out


@pytest.mark.requirement("SEAL-3")
def test_anchors_kept_elsewhere_are_compared(cli: Cli, run_id: str, home: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "anchors.jsonl")
    assert cli("journal", "anchor", "--to", file, "--json").json["added_to_file"] == 1
    assert cli("journal", "anchor", "--to", file, "--json").json["added_to_file"] == 0
    for about in (["--all"], [run_id]):
        assert cli("dossier", "verify", *about, "--anchors", file).code == 0
    with closing(sqlite3.connect(home / "journal.db", isolation_level=None)) as stored:
        stored.execute("DELETE FROM anchored")
        stored.execute("DELETE FROM anchors")
        stored.execute("UPDATE runs SET anchored_seq = 0")
    assert cli("dossier", "verify", "--all").code == 0
    for about in (["--all"], [run_id]):
        said = cli("dossier", "verify", *about, "--anchors", file)
        assert said.code == 6
        assert "anchor 1 is kept in" in said.err
    assert cli("journal", "anchor", "--to", file, "--json").error(6, "store_corrupt")
    cli("dossier", "verify", "--all", "--anchors", file + "x", "--json").error(2, "input_error")


@pytest.mark.requirement("SEAL-2")
def test_verifying_all_says_what_was_looked_at_and_every_fault(cli: Cli, run_id: str, home: Path) -> None:
    said = cli("dossier", "verify", "--all", "--json").json
    assert (said["ok"], said["runs"], said["anchors"], said["faults"]) == (True, 1, 1, [])
    assert said["events"] > 5
    flip_a_payload_byte(home, run_id)
    drop_the_last_event(home, run_id)
    said = cli("dossier", "verify", "--all", "--json")
    assert said.code == 6
    assert len(said.json["faults"]) >= 3
    assert {fault["run_id"] for fault in said.json["faults"]} == {run_id}
    told = cli("dossier", "verify", "--all").err
    assert told.count(f"altered  {run_id}: ") == len(said.json["faults"])
    assert told.count("what to do  Mend nothing. Copy PLANWARDEN_HOME") == 1


@pytest.mark.requirement("SEAL-2")
@pytest.mark.parametrize(
    "arguments", [[], ["r1", "--all"], ["--all", "--bundle", "x"], ["--all", "--key", "sha256:1"]]
)
def test_verify_wants_one_thing(offline: Cli, arguments: list[str]) -> None:
    offline("dossier", "verify", *arguments, "--json").error(2, "input_error")


@pytest.mark.requirement("SEAL-6")
def test_a_bundle_verifies_without_any_home_and_says_whose_key_signed(
    cli: Cli, run_id: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "runs.tar"
    made = cli("dossier", "export", run_id, "--out", str(file), "--redact", "none", "--json").json
    assert (made["runs"], made["bytes"]) == (1, file.stat().st_size)
    public = tmp_path / "public.pem"
    public.write_text(cli("dossier", "key").out)
    assert cli("dossier", "key", "--json").json["fingerprint"] == made["key"]
    elsewhere = tmp_path / "nowhere"
    monkeypatch.setenv("PLANWARDEN_HOME", str(elsewhere))
    said = cli("dossier", "verify", "--bundle", str(file))
    assert said.code == 0
    assert f"signed by key {made['key']}, which you have not pinned" in said.out
    for key in (made["key"], str(public)):
        said = cli("dossier", "verify", "--bundle", str(file), "--key", key)
        assert "the one you gave" in said.out
    told = cli("dossier", "verify", "--bundle", str(file), "--json").json
    assert (told["ok"], told["runs"], told["anchored_runs"], told["pinned"]) == (True, 1, 1, False)
    other = "sha256:" + "0" * 64
    said = cli("dossier", "verify", "--bundle", str(file), "--key", other)
    assert (said.code, f"not by {other}" in said.err) == (6, True)
    assert "altered" not in said.err + said.out
    assert cli("dossier", "verify", "--bundle", str(file), "--key", other, "--json").json["ok"] is False
    data = file.read_bytes()
    file.write_bytes(data.replace(b"IBM", b"JBM", 1))
    assert cli("dossier", "verify", "--bundle", str(file), "--json").json["faults"]
    file.write_bytes(data[:-1])
    cli("dossier", "verify", "--bundle", str(file), "--json").error(2, "bundle_rejected")
    assert not elsewhere.exists()


@pytest.mark.requirement("SEAL-7")
def test_an_imported_run_is_shown_as_such_and_not_gone_on_with(
    cli: Cli, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "runs.tar")
    key = cli("dossier", "export", "--all", "--out", file, "--json").json["key"]
    cli("dossier", "export", "--all", "--out", file, "--json").error(2, "input_error")
    cli("dossier", "export", "--out", file, "--json").error(2, "input_error")
    cli("dossier", "export", run_id, "--tenant", "x", "--out", file, "--json").error(2, "input_error")
    assert cli("runs", "--json").json[0]["origin"] is None
    monkeypatch.setenv("PLANWARDEN_HOME", str(tmp_path / "other"))
    said = cli("dossier", "import", file)
    assert "imported 1 run, 0 there already" in said.out
    assert cli("dossier", "import", file, "--key", key, "--json").json["there_already"] == [run_id]
    assert cli("runs", "--json").json[0]["origin"] == key
    assert "imported" in cli("runs").out
    for form in ("md", "html"):
        assert f"signed by key {key}" in cli("dossier", "show", run_id, "--format", form).out
    for command in ("resume", "cancel"):
        cli(command, run_id, "--json").error(2, "run_imported")
    assert cli("dossier", "verify", run_id).code == 0
    assert cli("dossier", "verify", "--all").code == 0


@pytest.mark.requirement("GAP-2")
def test_a_redacted_bundle_says_so_when_it_is_written_and_when_it_is_checked_and_is_not_imported(
    cli: Cli, run_id: str, tmp_path: Path
) -> None:
    file = str(tmp_path / "runs.tar")
    said = cli("dossier", "export", run_id, "--redact", "content", "--out", file)
    assert "redacted (content): " in said.out
    assert "payloads withheld, their digests stay" in said.out
    told = cli("dossier", "verify", "--bundle", file, "--json").json
    assert (told["ok"], told["redacted"]["kind"]) == (True, "content")
    assert TASK.encode() not in Path(file).read_bytes()
    refused = cli("dossier", "import", file, "--json").error(2, "bundle_rejected")
    assert "whole runs only" in refused["message"]
    personal = cli("dossier", "export", "--all", "--redact", "personal", "--out", f"{file}.2", "--json").json
    assert (personal["redacted"], personal["withheld"]) == ("personal", 1)  # the model server's address


@pytest.mark.requirement("GAP-2")
def test_an_export_says_that_nothing_personal_was_found(offline: Cli, home: Path, tmp_path: Path) -> None:
    started = begun("Look")[0].model_copy(update={"snapshots_kept": False})
    asyncio.run(_record(home, "rd", [started, RunEnded(outcome="failed", code="kit")]))
    said = offline("dossier", "export", "rd", "--redact", "personal", "--out", str(tmp_path / "runs.tar"))
    assert "redacted (personal): nothing was found to withhold" in said.out.splitlines()


async def _record(home: Path, run_id: str, facts: list[Fact]) -> None:
    async with opened(home) as planwarden:
        journal = await planwarden.journal()
        lease, _ = await journal.create(run_id, "red", OWNER, facts)
        await journal.release(lease)


@pytest.mark.requirement("GAP-3")
def test_imported_runs_move_no_metric_and_no_report_that_was_not_asked_to_count_them(
    cli: Cli, run_id: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "runs.tar")
    cli("dossier", "export", "--all", "--out", file)
    monkeypatch.setenv("PLANWARDEN_HOME", str(tmp_path / "other"))
    cli("run", TASK, "--json")
    before = cli("metrics").out
    assert cli("dossier", "import", file, "--json").json["imported"] == [run_id]
    assert cli("metrics").out == before
    assert len(cli("runs", "--json").json) == 2
    own = cli("report", "--json").json
    assert (own["runs"], own["imported"]) == (1, 1)
    said = cli("report", "--html", str(tmp_path / "report.html"))
    assert "1 imported run left out: --imported counts them too" in said.err
    assert "1 imported run of the period left out." in (tmp_path / "report.html").read_text("utf-8")
    both = cli("report", "--imported", "--json").json
    assert (both["runs"], both["imported"]) == (2, 0)


async def _first_events(home: Path, run_id: str, count: int) -> bytes:
    async with opened(home) as planwarden:
        journal = await planwarden.journal()
        events, links = await journal.read(run_id), await journal.links(run_id)
        return dossier_bytes(build_dossier(events[:count], links[:count]))


@pytest.mark.requirement("DOS-21")
def test_verify_says_that_an_exported_file_is_of_an_earlier_moment(cli: Cli, run_id: str, home: Path) -> None:
    path = home / "dossiers" / f"{run_id}.json"
    assert cli("dossier", "verify", run_id, "--json").json["older_export"] is None
    path.write_bytes(asyncio.run(_first_events(home, run_id, 3)))
    said = cli("dossier", "verify", run_id)
    assert said.code == 0
    assert "older export: the exported file is that of the first 3 events" in said.out
    assert cli("dossier", "verify", run_id, "--json").json["older_export"] == 3
    assert cli("dossier", "verify", "--all").code == 0


@pytest.mark.requirement("SEAL-12")
def test_after_a_restore_the_old_file_of_anchors_is_kept_and_a_new_one_begun(
    cli: Cli, run_id: str, tmp_path: Path
) -> None:
    old, new, backup = (str(tmp_path / name) for name in ("old.jsonl", "new.jsonl", "backup.zip"))
    assert cli("journal", "backup", backup).code == 0
    cli("run", TASK, "--json")
    assert cli("journal", "anchor", "--to", old, "--json").json["added_to_file"] == 2
    assert cli("journal", "restore", backup, "--force").code == 0
    kept = Path(old).read_bytes()
    told = cli("journal", "anchor", "--to", old, "--json").error(6, "store_corrupt")
    assert "anchor 2 is kept in" in told["message"]
    assert "give --to a file that is not there yet" in told["remedy"]
    assert Path(old).read_bytes() == kept
    assert cli("journal", "anchor", "--to", new, "--json").json["added_to_file"] == 1
    Path(old).write_bytes(kept.replace(b'"runs":1', b'"runs":2'))
    told = cli("journal", "anchor", "--to", old, "--json").error(6, "store_corrupt")
    assert "restore" not in told["remedy"]


@pytest.mark.requirement("SEAL-4")
def test_a_range_without_runs_and_a_file_without_anchors_are_refused(
    cli: Cli, run_id: str, tmp_path: Path
) -> None:
    file, empty = tmp_path / "none.tar", tmp_path / "empty.jsonl"
    empty.touch()
    assert "nothing to export" in cli("dossier", "export", "--since", "2030-01-01", "--out", str(file)).err
    assert not file.exists()
    for arguments in (("--all",), (run_id,)):
        said = cli("dossier", "verify", *arguments, "--anchors", str(empty))
        assert (said.code, "holds no anchor" in said.err) == (2, True)
