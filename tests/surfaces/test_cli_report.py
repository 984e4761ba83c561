"""`planwarden report`: tables, JSON and a page over what the journal holds."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from planwarden.audit.report.figures import PeriodReport
from surfaces_kit import Cli, Mind, spoil_a_payload

pytestmark = pytest.mark.requirement("REP-6")
TASK = "What is the price of IBM?"


def test_runs_are_reported_as_tables_as_json_and_as_a_page(cli: Cli, tmp_path: Path) -> None:
    cli("run", TASK, "--json")
    assert "mean over 1 run with planned tools" in cli("report").out
    cli("run", TASK, "--json")
    said = cli("report", "--since", "1h")
    assert said.code == 0
    for told in (
        "2 runs",
        "adherence",
        "100%",
        "outcomes",
        "completed",
        "plans by source",
        "Too few to judge: 2",
        "mean over 2 runs with planned tools",
        " requests",
    ):
        assert told in said.out
    found = PeriodReport.model_validate(cli("report", "--json").json)
    assert (found.runs, found.outcomes, found.adherence) == (2, {"completed": 2}, 1.0)
    file = tmp_path / "report.html"
    said = cli("report", "--html", str(file))
    assert "report.html" in said.err
    page = file.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert ">requests</th>" in page
    assert re.search(r"Made on \d{4}-\d\d-\d\d at \d\d:\d\d UTC by Planwarden \d", page)
    assert all(slot.begin >= found.since for slot in found.slots)


def test_fallbacks_deviations_and_refusals_are_counted_by_name(cli: Cli, mind: Mind) -> None:
    mind.steps = ["no.such.tool"]
    cli("run", TASK, "--json")
    said = cli("report")
    assert "deviations" in said.out
    assert "fallback_plan_used" in said.out
    assert "plans refused on the way" in said.out


def test_an_empty_journal_and_another_tenant_read_well(cli: Cli) -> None:
    said = cli("report")
    assert (said.code, "0 runs" in said.out) == (0, True)
    assert "No such run began in this period" in said.out
    cli("run", TASK, "--json")
    assert cli("report", "--tenant", "other", "--json").json["runs"] == 0
    assert cli("report", "--until", "1h", "--json").json["runs"] == 0


def test_damaged_runs_are_said_and_left_out(cli: Cli, home: Path) -> None:
    run_id = cli("run", TASK, "--json").json["run_id"]
    spoil_a_payload(home, run_id)
    with sqlite3.connect(home / "journal.db") as database:
        database.execute("UPDATE runs SET summarised_seq = 0")  # damaged before it was ever summed up
    database.close()
    said = cli("report", "--json")
    assert (said.json["runs"], said.json["unreadable"]) == (0, 1)


def test_a_period_that_is_none_and_a_file_that_cannot_be_written_are_refused(
    cli: Cli, tmp_path: Path
) -> None:
    cli("report", "--since", "1h", "--until", "2h", "--json").error(2, "input_error")
    cli("report", "--since", "yesterday", "--json").error(2, "input_error")
    nowhere = str(tmp_path / "no" / "report.html")
    cli("report", "--html", nowhere, "--json").error(2, "data_rejected")
