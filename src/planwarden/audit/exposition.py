"""Totals as Prometheus text; docs/guides/metrics.md says what each metric means. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from planwarden.audit.metrics import Totals


def families(totals: Totals) -> Iterator[Metric]:
    """Give every metric with its samples."""
    latency = HistogramMetricFamily(
        "planwarden_planner_latency_seconds",
        "Time that the planner model took for one run, repair included.",
        labels=["provider"],
    )
    for provider, spread in totals.latency.items():
        latency.add_metric([provider], buckets=spread.buckets, sum_value=spread.total)
    yield latency
    for name, told, spread in (
        (
            "planwarden_adherence_ratio",
            "Steps whose primary tools all succeeded as planned, by steps that planned any; ended runs.",
            totals.adherence,
        ),
        ("planwarden_run_duration_seconds", "From start to end of a run, waiting included.", totals.duration),
        ("planwarden_plan_steps", "Steps of a plan.", totals.steps),
    ):
        yield HistogramMetricFamily(name, told, buckets=spread.buckets, sum_value=spread.total)
    for name, told, label, counts in (
        ("planwarden_deviations", "Departures from the plan.", "kind", totals.deviations),
        ("planwarden_plans", "Plans that runs followed, by where they come from.", "source", totals.plans),
        ("planwarden_plan_refusals", "Refusals on the way to a plan.", "rung", totals.refusals),
        ("planwarden_runs", "Runs that are over.", "outcome", totals.outcomes),
        ("planwarden_tool_calls", "Calls of tools, by how far they got.", "status", totals.calls),
    ):
        counter = CounterMetricFamily(name, told, labels=[label])
        for value, count in counts.items():
            counter.add_metric([value], count)
        yield counter
    still_open = GaugeMetricFamily("planwarden_open_runs", "Runs that are not over.", labels=["status"])
    for status, count in totals.still_open.items():
        still_open.add_metric([status], count)
    yield still_open
    yield GaugeMetricFamily(
        "planwarden_damaged_runs",
        "Runs whose record cannot be read back; in no other metric.",
        value=totals.damaged,
    )


def prometheus_text(totals: Totals) -> str:
    """Write the Prometheus text format, version 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Constant(tuple(families(totals))))
    return generate_latest(registry).decode()


@dataclass(frozen=True, slots=True, eq=False)
class _Constant(Collector):
    metrics: tuple[Metric, ...]

    def collect(self) -> tuple[Metric, ...]:
        """Give what was counted."""
        return self.metrics
