"""From pairs of plans to the report. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from planwarden.contracts.shadow import PlanSketch, ShadowPlan
from planwarden.evaluation.intervals import Estimate, estimate, paired_estimate, spread_of
from planwarden.evaluation.shadow.agreement import AGREEMENT_MEASURES
from planwarden.evaluation.shadow.compare import Compared
from planwarden.evaluation.shadow.report.contract import (
    Difference,
    Figure,
    KnownReport,
    Price,
    Quartiles,
    ShadowReport,
    SideReport,
    Tally,
    Who,
)
from planwarden.evaluation.shadow.report.verdict import verdict
from planwarden.evaluation.shadow.sides import Side
from planwarden.evaluation.shadow.task import COUNTED, RIGHT_MEASURES, Evidence, Rightness

MAX_DIFFERENCES = 20
Named = tuple[Side, Price]
"""A side, and what its tokens cost."""


def summarise_shadow(
    pairs: Sequence[Compared],
    first: Named,
    second: Named | None,
    *,
    left_out: Mapping[str, int],
    notes: Sequence[str] = (),
) -> ShadowReport:
    """Put the report together.

    Args:
        pairs: at least one; where there is a second side, each with its plan.
        first: the planner that is looked at.
        second: what it is compared with.
        left_out: why tasks were left out, and how many.
        notes: what a reader has to know beside the figures.
    """
    ours = _side(first, [pair.first for pair in pairs])
    said = [pair.second for pair in pairs if pair.second is not None]
    theirs = _side(second, said) if second and said else None
    alike = _agreement(pairs)
    differing = [pair for pair in pairs if pair.agreement and not pair.agreement.same_plan]
    counted = [pair for pair in pairs if pair.task.evidence in COUNTED]
    return ShadowReport(
        tasks=Tally(
            compared=len(pairs),
            known=len(counted),
            fitted=sum(pair.task.fitted for pair in pairs),
            left_out={reason: count for reason, count in left_out.items() if count},
        ),
        first=ours,
        second=theirs,
        agreement=alike,
        known=tuple(
            _known(kind, own)
            for kind in ("gold", "person", "ran")
            if (own := [pair for pair in pairs if pair.task.evidence == kind])
        ),
        differences=tuple(_difference(pair) for pair in differing[:MAX_DIFFERENCES]),
        differing=len(differing),
        notes=tuple(notes),
        verdict=verdict(
            ours,
            theirs,
            known=len(counted),
            tools_f1=_tools_f1(counted),
            same_plan=alike.get("same_plan"),
        ),
    )


def _side(named: Named, plans: Sequence[ShadowPlan]) -> SideReport:
    side, price = named
    seconds = [plan.seconds for plan in plans if plan.seconds is not None]
    tokens_in = [plan.usage.prompt_tokens for plan in plans]
    tokens_out = [plan.usage.output_tokens for plan in plans]
    return SideReport(
        name=side.name,
        describes=side.describes,
        tasks=len(plans),
        valid=_figure(estimate([float(plan.valid) for plan in plans])),
        unaided=_figure(estimate([float(plan.unaided) for plan in plans])),
        issues=dict(Counter(issue for plan in plans for issue in plan.issues)),
        sources=dict(Counter(plan.source for plan in plans)),
        seconds=_quartiles(seconds) if seconds else None,
        prompt_tokens=_quartiles(tokens_in),
        output_tokens=_quartiles(tokens_out),
        total_prompt_tokens=sum(tokens_in),
        total_output_tokens=sum(tokens_out),
        price=price,
        cost=(sum(tokens_in) * price.tokens_in + sum(tokens_out) * price.tokens_out) / 1_000_000,
    )


def _agreement(pairs: Sequence[Compared]) -> dict[str, Figure]:
    known = [alike for pair in pairs if (alike := pair.agreement) is not None]
    found: dict[str, Figure] = {}
    for measure in AGREEMENT_MEASURES:
        values: list[float | None] = [getattr(alike, measure) for alike in known]
        kept = [value for value in values if value is not None]
        if kept:
            found[measure] = _figure(estimate(kept))
    return found


def _known(kind: Evidence, pairs: Sequence[Compared]) -> KnownReport:
    both = all(pair.second is not None for pair in pairs)
    first: dict[str, Figure] = {}
    second: dict[str, Figure] = {}
    gain: dict[str, Figure] = {}
    for measure in RIGHT_MEASURES:
        values = [(_value(pair.first_right, measure), _value(pair.second_right, measure)) for pair in pairs]
        ours = [one for one, _ in values if one is not None]
        paired = [(other, one) for one, other in values if one is not None and other is not None]
        if ours:
            first[measure] = _figure(estimate(ours))
        if both and paired:
            second[measure] = _figure(estimate([other for other, _ in paired]))
            gain[measure] = _figure(paired_estimate({"": paired}))
    return KnownReport(
        evidence=kind,
        counts=kind in COUNTED,
        tasks=len(pairs),
        first=first,
        second=second if both else None,
        gain=gain if both else None,
    )


def _tools_f1(pairs: Sequence[Compared]) -> tuple[Figure, Figure, Figure] | None:
    values = [
        (theirs.tools_f1, ours.tools_f1)
        for pair in pairs
        if (ours := pair.first_right) is not None and (theirs := pair.second_right) is not None
    ]
    if not values:
        return None
    return (
        _figure(estimate([ours for _, ours in values])),
        _figure(estimate([theirs for theirs, _ in values])),
        _figure(paired_estimate({"": values})),
    )


def _value(right: Rightness | None, measure: str) -> float | None:
    found: float | None = getattr(right, measure) if right is not None else None
    return found


def _difference(pair: Compared) -> Difference:
    second = pair.second.sketch if pair.second else None
    return Difference(
        task=pair.task.id,
        first=_shown(pair.first.sketch),
        second=_shown(second),
        right=_who(pair.first_right, pair.second_right),
    )


def _who(first: Rightness | None, second: Rightness | None) -> Who:
    if first is None or second is None:
        return "unknown"
    if first.right and second.right:
        return "both"
    if first.right or second.right:
        return "first" if first.right else "second"
    return "neither"


def _shown(sketch: PlanSketch | None) -> tuple[str, ...]:
    if sketch is None:
        return ("no plan",)
    return sketch.tools or (f"({(sketch.way_out or 'no tools').replace('_', ' ')})",)


def _figure(found: Estimate) -> Figure:
    return Figure(mean=found.mean, low=found.low, high=found.high, count=found.count)


def _quartiles(values: Sequence[float]) -> Quartiles:
    found = spread_of(values)
    return Quartiles(median=found.median, low=found.low, high=found.high)
