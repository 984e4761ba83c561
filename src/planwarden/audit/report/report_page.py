"""The report of a period as one HTML file. Pure: the same report gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from markupsafe import Markup

from planwarden.audit.page.amounts import counted, seconds, share
from planwarden.audit.page.document import document
from planwarden.audit.page.element import badge, code, joined, section, table, tag
from planwarden.audit.page.tones import RUN_TONES
from planwarden.audit.report.figures import PeriodReport, Share, Slot
from planwarden.audit.report.plots import (
    Frame,
    Series,
    bar,
    column_plot,
    confidence_plot,
    key,
    line_plot,
)


def report_page(report: PeriodReport, *, made: str = "") -> str:
    """Write a report as a page; `made` says when, and by what."""
    title = f"Planwarden from {_said(report.since, report)} to {_said(report.until, report)}"
    if report.runs == 0:
        body = [tag("main", _nothing(report))]
    else:
        body = [
            tag(
                "main",
                section("time", "Over time", _over_time(report)),
                _confidence_section(report),
                section("runs", "Runs and plans", *_runs(report)),
                section("deviations", "Deviations", _deviations(report)),
                section("refused", "Refused", *_refused(report)),
                section("models", "Models", *_models(report)),
            )
        ]
    footer = tag("footer", tag("p", made, class_="note")) if made else None
    return document(title, tag("header", *_header(report, title)), *body, footer)


def _header(report: PeriodReport, title: str) -> Iterator[Markup]:
    yield tag("h1", title)
    whose = f" of tenant {report.tenant}" if report.tenant is not None else ""
    yield tag("p", f"{counted(report.runs, 'run')}{whose}, by when they began (UTC).", class_="note")
    if report.unreadable:
        told = (
            f"{counted(report.unreadable, 'run')} of this journal cannot be read back, and not counted: see "
        )
        yield tag("p", told, code("planwarden runs"), ".", class_="notice", role="note")
    if report.imported:
        yield tag("p", f"{counted(report.imported, 'imported run')} of the period left out.", class_="note")
    if report.runs:
        yield tag("dl", *_figures(report), class_="figures")


def _nothing(report: PeriodReport) -> Markup:
    told = f"No run began between {_moment(report.since)} and {_moment(report.until)}."
    return tag("p", told, " Name a longer period with ", code("--since"), ".")


def _figures(report: PeriodReport) -> Iterator[Markup]:
    latency = report.latency
    figures = [
        ("adherence", share(report.adherence), f"over {counted(report.as_planned.of, 'run')}"),
        ("as planned", share(report.as_planned.share), _interval(report.as_planned)),
        ("with deviations", share(report.deviating.share), _interval(report.deviating)),
        ("fallback plans", share(report.fallback.share), _interval(report.fallback)),
        ("planner, median", seconds(latency.p50_s), f"90 % within {seconds(latency.p90_s)}"),
        ("completed", f"{report.outcomes.get('completed', 0)} of {report.runs}", "runs"),
    ]
    for name, said, note in figures:
        yield tag("div", tag("dt", name), tag("dd", said, tag("small", note)))


def _interval(of: Share) -> str:
    if not of.of:
        return "none to count"
    return f"{of.count} of {of.of}; 95 %: {of.low:.0%} to {of.high:.0%}"


def _over_time(report: PeriodReport) -> Markup:
    slots = report.slots
    labels = tuple(_label(slot) for slot in slots)
    width = _width(slots)

    adherence = Series(name="adherence", values=tuple(slot.adherence for slot in slots))
    fallback = Series(
        name="fallback plans",
        values=tuple(slot.fallback_plans / slot.plans if slot.plans else None for slot in slots),
    )
    completed = Series(
        name="completed", values=tuple(slot.completed / slot.runs if slot.runs else None for slot in slots)
    )
    latencies = (
        Series(name="median", values=tuple(slot.latency.p50_s for slot in slots)),
        Series(name="90 % within", values=tuple(slot.latency.p90_s for slot in slots)),
    )
    per_run = Series(
        name="deviations per run",
        values=tuple(slot.deviations / slot.runs if slot.runs else None for slot in slots),
    )
    begun = Frame(title="Runs", labels=labels, say=_whole)
    done = Frame(title="Completed", labels=labels, say=share, top=1.0)
    kept = Frame(title="Adherence", labels=labels, say=share, top=1.0)
    fell = Frame(title="Fallback plans", labels=labels, say=share, top=1.0)
    timed = Frame(title="Planner latency", labels=labels, say=seconds)
    rated = Frame(title="Deviations per run", labels=labels, say=lambda value: f"{value:.2f}")
    figures = (
        _figure("Runs", f"begun in each {width}", column_plot(begun, [slot.runs for slot in slots])),
        _figure("Completed", "share of the runs", line_plot(done, (completed,))),
        _figure("Adherence", "mean of the runs", line_plot(kept, (adherence,))),
        _figure("Deviations per run", "all kinds together", line_plot(rated, (per_run,))),
        _figure("Fallback plans", "share of all plans", line_plot(fell, (fallback,))),
        _figure(
            "Planner latency",
            "asking the planner's model, repair included",
            line_plot(timed, latencies),
            key([each.name for each in latencies]),
        ),
    )
    return joined((tag("div", *figures, class_="plots"), _slot_table(slots, labels)))


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _figure(title: str, note: str, *drawn: Markup | None) -> Markup:
    return tag("figure", tag("figcaption", title, tag("small", note)), *drawn)


def _slot_table(slots: Iterable[Slot], labels: Iterable[str]) -> Markup:
    rows = [
        (
            label,
            str(slot.runs),
            str(slot.completed),
            share(slot.adherence),
            str(slot.deviations),
            f"{slot.fallback_plans} of {slot.plans}",
            seconds(slot.latency.p50_s),
            seconds(slot.latency.p90_s),
        )
        for slot, label in zip(slots, labels, strict=True)
        if slot.runs
    ]
    head = ("from", "runs", "completed", "adherence", "deviations", "fallback", "median", "90 % within")
    return tag("details", tag("summary", "The same as a table"), table("Over time", head, rows))


def _confidence_section(report: PeriodReport) -> Markup:
    check = report.confidence
    title = "Confidence against success"
    note = (
        "Success: the run completed and every step that planned tools went as planned. Near the dashed line "
        "is good, below it plans were too sure. Counted are runs that are over, of plans the planner made."
    )
    if check.cases == 0:
        told = "Nothing to count: it takes runs that are over, with tools in a planner's plan."
        return section("confidence", title, tag("p", note, class_="note"), tag("p", told))
    if check.error is None:
        verdict = f"Too few to judge: {counted(check.cases, 'run')}, at least {check.least_cases} are needed."
    else:
        verdict = f"Calibration error {check.error:.3f} over {counted(check.cases, 'run')}."
    told = f"{verdict} {check.calibrated} of these plans had a calibrated confidence."
    rows = [
        (
            f"{each.low:.1f} to {each.high:.1f}",
            f"{each.confidence:.2f}",
            share(each.success.share),
            f"{each.success.low:.0%} to {each.success.high:.0%}",
            str(each.success.of) if each.enough else f"{each.success.of} (few)",
        )
        for each in check.bins
    ]
    head = ("confidence", "mean", "succeeded", "95 % interval", "runs")
    caption = "hollow: fewer than 10 runs; lines: 95 % intervals (Wilson)"
    figure = _figure(title, caption, confidence_plot(check.bins))
    both = tag("div", figure, table("In bins of confidence", head, rows), class_="plots")
    return section("confidence", title, tag("p", told), both, tag("p", note, class_="note"))


def _runs(report: PeriodReport) -> Iterator[Markup]:
    tones: dict[str, Markup] = {
        status: badge(status.replace("_", " "), tone) for status, tone in RUN_TONES.items()
    }
    outcomes = table(
        "Outcomes", ("outcome", "runs", "", ""), _counts(report.outcomes.items(), report.runs, tones)
    )
    plans = sum(report.sources.values())
    sources = table(
        "Where plans came from", ("source", "plans", "", ""), _counts(report.sources.items(), plans)
    )
    yield tag("div", outcomes, sources if plans else None, class_="plots")


def _deviations(report: PeriodReport) -> Markup:
    if not report.deviations:
        return tag("p", "None: every run went as planned.")
    total = sum(report.deviations.values())
    kinds = table("By kind", ("kind", "times", "", ""), _counts(report.deviations.items(), total))
    return tag("div", kinds, class_="plots")


def _counts(
    counts: Iterable[tuple[str, int]], of: int, shown: Mapping[str, Markup] | None = None
) -> Iterator[tuple[str, ...]]:
    for name, count in counts:
        said = shown[name] if shown else joined((name.replace("_", " "),))
        yield said, f"{count:,}", share(count / of) if of else "–", bar(count / of if of else 0.0)


def _refused(report: PeriodReport) -> Iterator[Markup]:
    if report.refused_tools:
        rows = [
            (code(each.tool), str(each.count), ", ".join(f"{kind} {n}" for kind, n in each.refusals.items()))
            for each in report.refused_tools
        ]
        yield table("Calls refused before they happened, by tool", ("tool", "times", "why"), rows)
        if report.refused_others:
            yield tag("p", f"{counted(report.refused_others, 'call')} of other tools.", class_="note")
    else:
        yield tag("p", "No call was refused.")
    if report.plan_refusals:
        plans = [(each.rung, code(each.reason), str(each.count)) for each in report.plan_refusals]
        yield table("Plans refused on the way, by rung", ("rung", "reason", "times"), plans)
    else:
        yield tag("p", "No plan was refused on the way.")


def _models(report: PeriodReport) -> Iterator[Markup]:
    if not report.tokens:
        yield tag("p", "No model was asked.")
        return
    rows = [
        (each.role, f"{each.exchanges:,}", f"{each.prompt:,}", f"{each.cached:,}", f"{each.output:,}")
        for each in report.tokens
    ]
    yield table("What they cost", ("role", "requests", "tokens in", "of them cached", "tokens out"), rows)
    if report.model_troubles:
        troubles = [(each.role, code(each.code), str(each.count)) for each in report.model_troubles]
        yield table("No usable reply", ("role", "error", "times"), troubles)


def _width(slots: tuple[Slot, ...]) -> str:
    """Say how long a slot is: the second one, for the first and the last may be cut."""
    whole = slots[min(1, len(slots) - 1)]
    amount = whole.end - whole.begin
    days = amount / timedelta(days=1)
    if days >= 1:
        return "day" if days == 1 else "week" if days == 7 else f"{days:.0f} days"
    return seconds(amount.total_seconds())


def _label(slot: Slot) -> str:
    """Name a slot by its beginning, as short as its length allows."""
    if slot.end - slot.begin < timedelta(hours=1):
        return f"{slot.begin:%H:%M}"
    if slot.end - slot.begin < timedelta(days=1):
        return f"{slot.begin:%d %b %Hh}"
    return f"{slot.begin:%d %b}" if slot.end - slot.begin < timedelta(days=300) else f"{slot.begin:%Y}"


def _said(at: datetime, report: PeriodReport) -> str:
    """Say where a period begins or ends: by the day, a short one by the minute."""
    if report.until - report.since < timedelta(days=2):
        return _moment(at)
    return f"{at:%d %B %Y}".lstrip("0")


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
