"""The text: one line for every combination of labels, in the form that the scraper asks for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from planwarden.audit.metrics.declared import METRICS
from planwarden.audit.metrics.exposition import openmetrics_text, prometheus_text, wants_openmetrics
from planwarden.audit.metrics.totals import Totals

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.requirement("MET-2")
@pytest.mark.parametrize("form", ["text", "openmetrics"])
def test_every_declared_combination_of_labels_is_in_either_form_and_no_other(form: str) -> None:
    read: Iterable[Metric] = read_text(prometheus_text(Totals()))
    if form == "openmetrics":
        families = openmetrics.text_string_to_metric_families(openmetrics_text(Totals()))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - untyped there
        read = cast("Iterable[Metric]", families)
    shown = {
        (family.name, tuple(sample.labels[label] for label in METRICS[family.name].labels))
        for family in read
        for sample in family.samples
    }
    assert shown == {(each.name, labels) for each in METRICS.values() for labels in each.values}


@pytest.mark.requirement("MET-1")
def test_the_number_of_series_is_bounded() -> None:
    lines = [line for line in prometheus_text(Totals()).splitlines() if not line.startswith("#")]
    assert 200 < len(lines) < 500


@pytest.mark.requirement("MET-6")
@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (PROMETHEUS_3, True),
        ("application/openmetrics-text", True),
        ("text/plain, Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", True),
        ("application/openmetrics-text;version=0.0.1", False),
        ("application/openmetrics-text;version=2.0.0, text/plain", False),
        ("application/openmetrics-text;version=1.0.0;q=0", False),
        ("application/openmetrics-textual", False),
        ("text/plain;version=0.0.4", False),
        ("*/*", False),
        ("", False),
        (";;;,,,version=", False),
    ],
)
def test_openmetrics_is_given_to_who_asks_for_it_by_name_and_version(accept: str, wanted: bool) -> None:
    assert wants_openmetrics(accept) is wanted
