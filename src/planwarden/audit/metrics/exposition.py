"""Totals as text for Prometheus; docs/guides/metrics.md says what each metric means. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

from planwarden.audit.metrics.declared import METRICS
from planwarden.audit.metrics.totals import Totals

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TEXT = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def families(totals: Totals) -> Iterator[Metric]:
    """Give every metric with its samples."""
    for each in METRICS.values():
        if each.kind == "histogram":
            histogram = HistogramMetricFamily(each.name, each.told, labels=each.labels)
            for labels in each.values:
                spread = totals.spread(each.name, *labels)
                histogram.add_metric(labels, buckets=spread.buckets, sum_value=spread.total)
            yield histogram
            continue
        kind = CounterMetricFamily if each.kind == "counter" else GaugeMetricFamily
        family = kind(each.name, each.told, labels=each.labels)
        for labels in each.values:
            family.add_metric(labels, totals.of(each.name, *labels))
        yield family


def prometheus_text(totals: Totals) -> str:
    """Write the Prometheus text format, version 0.0.4."""
    return generate_latest(_registry(totals)).decode()


def openmetrics_text(totals: Totals) -> str:
    """Write OpenMetrics, version 1.0.0."""
    written = cast("bytes", openmetrics.generate_latest(_registry(totals)))  # pyright: ignore[reportUnknownMemberType] - untyped there
    return written.decode()


def wants_openmetrics(accept: str) -> bool:
    """Tell from an `Accept` header whether OpenMetrics 1.0.0 is asked for; Prometheus asks for it by name."""
    for part in accept.lower().split(","):
        kind, *rest = (piece.strip() for piece in part.split(";"))
        given = {name: value for name, _, value in (piece.partition("=") for piece in rest)}
        wanted = kind == "application/openmetrics-text" and given.get("version", "1.0.0") == "1.0.0"
        if wanted and given.get("q", "1").strip("0.") != "":
            return True
    return False


def _registry(totals: Totals) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Constant(tuple(families(totals))))
    return registry


@dataclass(frozen=True, slots=True, eq=False)
class _Constant(Collector):
    metrics: tuple[Metric, ...]

    def collect(self) -> tuple[Metric, ...]:
        """Give what was counted."""
        return self.metrics
