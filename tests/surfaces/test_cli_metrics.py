"""`planwarden metrics`: valid Prometheus text, the metrics that the guide lists, from every readable run."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from planwarden.audit.metrics.declared import METRICS
from planwarden.contracts.deviations import DEVIATION_KINDS
from surfaces_kit import Cli, Mind, flip_a_payload_byte, spoil_a_payload

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "metrics.md"
TASK = "What is the latest price of IBM?"


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, tuple(sorted(labels.items()))]


@pytest.mark.requirement("MET-1")
def test_runs_of_every_kind_are_counted_once(cli: Cli, mind: Mind) -> None:
    assert cli("run", TASK).code == 0
    mind.steps = ["files.write"]
    assert cli("run", "Write hello to notes.md").code == 5
    mind.steps = ["nobody/nothing"]
    cli("run", "What is the latest price of MSFT?")  # no repeat: nothing is remembered that could be followed
    cli("run", TASK)
    said = cli("metrics")
    assert (said.code, said.err) == (0, "")
    text = said.out
    assert value(text, "planwarden_runs_total", outcome="completed") == 3
    assert value(text, "planwarden_open_runs", status="waiting") == 1
    assert value(text, "planwarden_plans_total", source="planner") == 2
    assert value(text, "planwarden_plans_total", source="fallback") == 1
    assert value(text, "planwarden_plans_total", source="cached") == 1
    assert value(text, "planwarden_plan_refusals_total", rung="schema", reason="notation_broken") == 2
    assert value(text, "planwarden_plan_refusals_total", rung="repair", reason="notation_broken") == 2
    assert value(text, "planwarden_deviations_total", kind="fallback_plan_used") == 1
    assert value(text, "planwarden_tool_calls_total", verdict="allowed", outcome="returned") == 2
    assert value(text, "planwarden_open_calls", status="asked") == 1
    assert value(text, "planwarden_approvals_waiting", kind="call") == 1
    assert value(text, "planwarden_queue_depth", kind="waiting") == 1
    assert value(text, "planwarden_queue_depth", kind="interrupted") == 0
    assert value(text, "planwarden_model_calls_total", role="planner") == 6  # two of them repairs
    assert value(text, "planwarden_tokens_total", role="agents", direction="in") > 0
    assert value(text, "planwarden_model_errors_total", role="planner", code="model_timed_out") == 0
    assert value(text, "planwarden_planner_latency_seconds_count", provider="ollama") == 4
    assert value(text, "planwarden_adherence_ratio_count") == 2  # the fallback planned no tool
    assert value(text, "planwarden_adherence_ratio_sum") == 2
    assert value(text, "planwarden_adherence_ratio_bucket", le="0.99") == 0
    assert value(text, "planwarden_damaged_runs") == 0


@pytest.mark.requirement("MET-1")
def test_before_the_first_run_every_label_is_there_with_zero(offline: Cli) -> None:
    text = offline("metrics").out
    kinds = {dict(labels)["kind"] for name, labels in samples(text) if name == "planwarden_deviations_total"}
    assert kinds == set(DEVIATION_KINDS)
    assert set(samples(text).values()) == {0.0}


@pytest.mark.requirement("MET-3")
def test_runs_that_cannot_be_read_back_are_counted_and_passed_over(cli: Cli, home: Path) -> None:
    for _ in range(2):
        cli("run", TASK)
    spoil_a_payload(home, cli("runs", "--json").json[0]["run_id"])
    forget_summaries(home)
    said = cli("metrics")
    assert said.code == 0
    assert "1 damaged runs are left out" in said.err
    assert value(said.out, "planwarden_damaged_runs") == 1
    assert value(said.out, "planwarden_runs_total", outcome="completed") == 1


@pytest.mark.requirement("MET-4")
def test_a_run_whose_payloads_are_gone_keeps_counting_through_its_summary(cli: Cli, home: Path) -> None:
    cli("run", TASK)
    before = cli("metrics").out
    with sqlite3.connect(home / "journal.db") as database:
        database.execute("UPDATE payloads SET body = NULL, nonce = NULL, erased = 1")
    database.close()
    assert cli("metrics").out == before


@pytest.mark.requirement("MET-3")
def test_a_journal_that_cannot_be_opened_ends_with_its_error(offline: Cli, home: Path) -> None:
    home.mkdir()
    (home / "journal.db").write_bytes(b"no journal")
    said = offline("metrics")
    assert said.code == 6
    assert said.out == ""
    assert "store_corrupt" in said.err


@pytest.mark.requirement("MET-2")
def test_promtool_finds_nothing_to_say_about_the_text(cli: Cli) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here: apt-get install --no-install-recommends prometheus")
    cli("run", TASK)
    text = cli("metrics").out
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.requirement("MET-2")
def test_the_guide_lists_exactly_the_metrics_that_are_printed_with_type_and_labels(offline: Cli) -> None:
    printed: set[tuple[str, str, str]] = set()
    for family in text_string_to_metric_families(offline("metrics").out):
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        suffix = "_total" if family.type == "counter" else ""
        printed.add((f"{family.name}{suffix}", family.type, ", ".join(sorted(labels))))
    rows = re.findall(r"^\| `(planwarden_\w+)` \| (\w+) \| ([^|]+) \| \S", GUIDE.read_text(), re.MULTILINE)
    listed = {(name, kind, ", ".join(sorted(re.findall(r"`(\w+)`", labels)))) for name, kind, labels in rows}
    assert len(rows) == len(listed)
    assert listed == printed


@pytest.mark.requirement("MET-2")
def test_the_guide_lists_every_value_of_every_label_or_where_they_are_listed() -> None:
    rows = re.findall(r"^\| `(\w+)`(?: of (?:a |the )(\w+))? \| (.+) \|$", GUIDE.read_text(), re.MULTILINE)
    of = {
        ("outcome", "call"): "planwarden_tool_calls", ("outcome", "run"): "planwarden_runs",
        ("status", "call"): "planwarden_open_calls", ("status", "run"): "planwarden_open_runs",
        ("kind", "deviation"): "planwarden_deviations", ("kind", "wait"): "planwarden_approvals_waiting",
        ("kind", "queue"): "planwarden_queue_depth",
    }  # fmt: skip
    listed = {(label, noun): set(re.findall(r"`([\w-]+)`", values)) for label, noun, values in rows}
    for each in METRICS.values():
        for at, label in enumerate(each.labels):
            (values,) = (
                found
                for (name, noun), found in listed.items()
                if name == label and of.get((name, noun), each.name) in (each.name, _alike.get(each.name))
            )
            elsewhere = label in ("reason", "code") or each.name == "planwarden_deviations"
            there = {labels[at] for labels in each.values}
            assert values <= there if elsewhere else values == there, (each.name, label)


_alike = {"planwarden_oldest_wait_timestamp_seconds": "planwarden_approvals_waiting"}
"""A metric with the same label as another."""


def forget_summaries(home: Path) -> None:
    with sqlite3.connect(home / "journal.db") as database:
        for table in ("facets", "summaries"):
            database.execute(f"DELETE FROM {table}")
        database.execute("UPDATE runs SET summarised_seq = 0")
    database.close()


@pytest.mark.requirement("MET-3")
def test_an_altered_run_that_can_still_be_read_is_counted(cli: Cli, home: Path) -> None:
    cli("run", TASK)
    flip_a_payload_byte(home, cli("runs", "--json").json[0]["run_id"])
    assert value(cli("metrics").out, "planwarden_runs_total", outcome="completed") == 1
