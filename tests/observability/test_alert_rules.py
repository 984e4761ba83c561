"""Recording and alert rules: sound, tested, over metrics that exist, each alert with its page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from queries import FOLDER, PROMETHEUS, ROOT, dashboard_queries, known_series, mistakes, rules

GUIDE = ROOT / "docs" / "guides" / "metrics.md"
ALERTS = [rule for rule in rules() if "alert" in rule]


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not here: apt-get install --no-install-recommends prometheus")
    return found


def run(*command: str, folder: Path = PROMETHEUS) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.requirement("MET-9")
def test_every_rule_passes_its_unit_tests(promtool: str) -> None:
    assert "SUCCESS" in run(promtool, "test", "rules", "rules_test.yml")


@pytest.mark.requirement("MET-9")
def test_the_scrape_configuration_and_its_rules_are_sound(promtool: str) -> None:
    assert "is valid prometheus config file syntax" in run(promtool, "check", "config", "prometheus.yml")


@pytest.mark.requirement("MET-9")
def test_every_alert_has_a_test_in_which_it_rings_and_one_in_which_it_does_not() -> None:
    tests = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text("utf-8"))["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", ())]
    names = {rule["alert"] for rule in ALERTS}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names


@pytest.mark.requirement("MET-9")
@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_rule_reads_metrics_labels_and_values_that_are_exposed(rule: dict[str, str]) -> None:
    assert mistakes(rule["expr"], known_series()) == []


@pytest.mark.requirement("MET-9")
def test_what_is_never_exposed_is_found() -> None:
    known = known_series()
    assert mistakes("planwarden_plan_total", known) == ["no series planwarden_plan_total"]
    wrong = 'sum by (sources) (planwarden_plans_total{source=~"planner|model", kind="x"})'
    assert mistakes(wrong, known) == [
        "planwarden_plans_total: source is never model",
        "planwarden_plans_total has no label kind",
        "nothing has a label sources",
    ]
    assert mistakes('planwarden_adherence_ratio_bucket{le="0.9"}', known) == [
        "planwarden_adherence_ratio_bucket: le is never 0.9"
    ]


@pytest.mark.requirement("MET-9")
def test_every_alert_names_a_page_that_exists_and_is_in_the_guide() -> None:
    listed = re.findall(r"^\| `(Planwarden\w+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE)
    assert listed == [rule["alert"] for rule in ALERTS]
    for rule in ALERTS:
        assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert "for" in rule


@pytest.mark.requirement("MET-9")
def test_the_alerts_of_the_runbook_lead_there() -> None:
    page = "docs/runbooks/planner_failing.md"
    leading = {rule["alert"] for rule in ALERTS if rule["annotations"]["runbook"] == page}
    named = set(re.findall(r"`(Planwarden\w+)`", (ROOT / page).read_text("utf-8")))
    assert named == leading


@pytest.mark.requirement("MET-10")
def test_prometheus_itself_can_parse_every_query_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    asked = [
        {"record": f"dashboard:query:{at}", "expr": query} for at, query in enumerate(dashboard_queries())
    ]
    (tmp_path / "all.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": asked}]}))
    assert f"{len(asked)} rules found" in run(promtool, "check", "rules", "all.yml", folder=tmp_path)


@pytest.mark.requirement("MET-9")
def test_the_folder_says_in_its_page_what_is_in_it() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    named = {
        name
        for names in re.findall(r"^\| (`.+?`) \|", page, re.MULTILINE)
        for name in re.findall(r"`(.+?)`", names)
    }
    assert named
    assert all((FOLDER / name).is_file() for name in named)
