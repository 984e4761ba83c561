"""What the dashboard and the rules ask: every PromQL expression, and the metrics and labels in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from planwarden.audit.metrics.declared import METRICS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "observability"
PROMETHEUS = FOLDER / "prometheus"
DASHBOARD = FOLDER / "grafana" / "dashboards" / "planwarden.json"

_SELECTOR = re.compile(r"(planwarden[\w:]*|up)\s*(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
TARGET_LABELS = {"instance", "job"}
"""That Prometheus gives to every series."""


def rules() -> Iterator[dict[str, Any]]:
    """Give every rule of every group."""
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text("utf-8"))["groups"]:
        yield from group["rules"]


def dashboard() -> dict[str, Any]:
    """Read the dashboard."""
    return json.loads(DASHBOARD.read_text("utf-8"))


def panels() -> list[dict[str, Any]]:
    """Give the panels that show something."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def dashboard_queries() -> list[str]:
    """Give every expression of the dashboard, as Prometheus would get it."""
    said = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [
        query.replace("$__rate_interval", "1m").replace("$__range", "6h").replace("$instance", ".*")
        for query in said
    ]


def known_series() -> dict[str, dict[str, set[str]]]:
    """Give every name that a query may use, with its labels and their values; an empty set means any."""
    known: dict[str, dict[str, set[str]]] = {"up": {"job": {"planwarden"}}}
    for each in METRICS.values():
        labels = {label: {values[at] for values in each.values} for at, label in enumerate(each.labels)}
        if each.kind != "histogram":
            known[f"{each.name}_total" if each.kind == "counter" else each.name] = labels
            continue
        bounds = {*(str(bound) for bound in each.bounds), "+Inf"}
        known[f"{each.name}_bucket"] = {**labels, "le": bounds}
        known[f"{each.name}_sum"] = known[f"{each.name}_count"] = labels
    for rule in rules():
        if "record" in rule:
            known[rule["record"]] = {label: set() for name in used(rule["expr"]) for label in known[name]}
    return known


def used(query: str) -> set[str]:
    """Name the series that a query reads."""
    return {name for name, _ in _SELECTOR.findall(_GROUPING.sub("", query))}


def mistakes(query: str, known: dict[str, dict[str, set[str]]]) -> list[str]:
    """Say what a query names that is never exposed."""
    found = [f"no series {name}" for name in used(query) if name not in known]
    if found:
        return found
    for name, selector in _SELECTOR.findall(query):
        for label, how, value in _MATCHER.findall(selector or ""):
            if label in TARGET_LABELS and name != "up":
                continue
            values = known[name].get(label)
            if values is None:
                found.append(f"{name} has no label {label}")
                continue
            wanted = value.split("|") if "~" in how else [value]
            found += [f"{name}: {label} is never {each}" for each in wanted if values and each not in values]
    there = {label for name in used(query) for label in known[name]} | TARGET_LABELS
    grouped = {label.strip() for group in _GROUPING.findall(query) for label in group.split(",")}
    return found + [f"nothing has a label {label}" for label in grouped - there]
