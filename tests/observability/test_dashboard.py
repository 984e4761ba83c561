"""The dashboard: what Grafana expects of one, and no query for anything that is never exposed."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from queries import DASHBOARD, FOLDER, dashboard, dashboard_queries, known_series, mistakes, panels, used

from planwarden.audit.metrics.declared import METRICS

pytestmark = pytest.mark.requirement("MET-10")


@pytest.mark.parametrize("query", dashboard_queries())
def test_every_query_reads_metrics_labels_and_values_that_are_exposed(query: str) -> None:
    assert mistakes(query, known_series()) == []


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {name for query in dashboard_queries() for name in used(query)}
    hidden = [name for name in METRICS if not any(each.startswith(name) for each in shown)]
    assert hidden == []


def test_legends_name_labels_that_the_query_keeps() -> None:
    for panel in panels():
        for target in panel["targets"]:
            for label in target["legendFormat"].replace("{{", " {{").split():
                if label.startswith("{{"):
                    kept = target["expr"].split("by (")[1].split(")")[0]
                    assert label.strip("{}") in kept.replace(",", " ").split(), panel["title"]


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    everything = dashboard()["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    taken: dict[tuple[int, int], str] = {}
    for panel in everything:
        place: dict[str, int] = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken.get((x, y)))
                taken[x, y] = panel["title"]


def test_every_panel_asks_the_data_source_that_the_reader_chose() -> None:
    chosen: dict[str, Any] = {"type": "prometheus", "uid": "${datasource}"}
    names = [variable["name"] for variable in dashboard()["templating"]["list"]]
    assert names == ["datasource", "instance"]
    for panel in panels():
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])
        assert all("instance=~" in target["expr"] for target in panel["targets"])


def test_grafana_finds_the_dashboard_where_it_is_told_to_look() -> None:
    provisioning = FOLDER / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "planwarden.yaml").read_text())["providers"]
    mounts = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]["grafana"]["volumes"]
    (folder,) = [mount for mount in mounts if f":{provider['options']['path']}:" in mount]
    assert (FOLDER / folder.split(":")[0]) == DASHBOARD.parent
    assert (dashboard()["uid"], dashboard()["schemaVersion"]) == ("planwarden", 42)
