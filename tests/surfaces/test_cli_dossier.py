"""`planwarden dossier show`: Markdown, JSON, a page; whole or redacted; to stdout or a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from planwarden.contracts.json_schema import schema_problems
from published import DOSSIER_SCHEMA, REDACTED_SCHEMA
from surfaces_kit import Cli

TASK = "What is the price of IBM? Tell ann@example.com, badge P-1234."


def a_run(cli: Cli) -> str:
    return cli("run", TASK, "--json").json["run_id"]


@pytest.mark.requirement("HTM-12")
def test_a_page_is_written_to_a_file_or_to_stdout(cli: Cli, tmp_path: Path) -> None:
    run_id = a_run(cli)
    file = tmp_path / "dossier.html"
    said = cli("dossier", "show", run_id, "--format", "html", "--out", str(file))
    assert (said.code, said.out) == (0, "")
    assert "dossier.html" in said.err
    page = file.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert f"planwarden dossier verify {run_id}" in page
    assert "ann@example.com" in page
    assert cli("dossier", "show", run_id, "--format", "html").out == page


@pytest.mark.requirement("HTM-12")
def test_json_keeps_to_the_published_schema_and_is_the_exported_file(cli: Cli, home: Path) -> None:
    run_id = a_run(cli)
    said = cli("dossier", "show", run_id, "--format", "json")
    assert schema_problems(DOSSIER_SCHEMA, said.json) == ()
    assert said.out == (home / "dossiers" / f"{run_id}.json").read_text("utf-8")


@pytest.mark.requirement("HTM-11")
@pytest.mark.parametrize("form", ["md", "json", "html"])
def test_redacting_changes_what_is_shown_and_never_the_record(cli: Cli, form: str) -> None:
    run_id = a_run(cli)
    said = cli("dossier", "show", run_id, "--format", form, "--redact", "content")
    assert said.code == 0
    assert "IBM" not in said.out
    assert "edacted" in said.out
    assert cli("dossier", "verify", run_id).code == 0
    if form == "json":
        assert schema_problems(REDACTED_SCHEMA, said.json) == ()


@pytest.mark.requirement("HTM-9")
def test_personal_data_and_what_own_patterns_find_is_replaced(cli: Cli, tmp_path: Path) -> None:
    run_id = a_run(cli)
    own = tmp_path / "own.txt"
    own.write_text("P-\\d{4}\n", "utf-8")
    said = cli("dossier", "show", run_id, "--redact", "personal", "--redact-patterns", str(own))
    assert "> What is the price of IBM? Tell [e-mail], badge [pattern 1]." in said.out


@pytest.mark.requirement("HTM-10")
def test_patterns_that_cannot_be_used_end_the_command_with_a_remedy(cli: Cli, tmp_path: Path) -> None:
    run_id = a_run(cli)
    own = tmp_path / "own.txt"
    own.write_text("fine\n(\n", "utf-8")
    shown = ("dossier", "show", run_id, "--format", "json")
    told = cli(*shown, "--redact", "personal", "--redact-patterns", str(own)).error(2, "input_error")
    assert "line 2" in told["message"]
    cli(*shown, "--redact-patterns", str(own)).error(2, "input_error")
    cli(*shown, "--redact", "personal", "--redact-patterns", "nowhere.txt").error(2, "data_rejected")


@pytest.mark.requirement("HTM-12")
def test_a_file_that_cannot_be_written_and_a_run_that_is_not_there_are_said(cli: Cli, tmp_path: Path) -> None:
    run_id = a_run(cli)
    nowhere = str(tmp_path / "no" / "such" / "folder.json")
    cli("dossier", "show", run_id, "--format", "json", "--out", nowhere).error(2, "data_rejected")
    cli("dossier", "show", "nobody", "--format", "json").error(2, "run_not_found")
