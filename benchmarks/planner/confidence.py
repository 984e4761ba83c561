"""Whether a plan's confidence says how likely it is right, on cross-validated plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.planner.bench import Crossed, Mode
from benchmarks.planner.results import Cell, Figure, Measured, Section, Table, reached_figure, table

from planwarden.evaluation.calibration.confidence_map import IMAGINED, LEAST_IN_A_BLOCK
from planwarden.evaluation.calibration.sureness import Case, Sureness, sureness
from planwarden.evaluation.plan_benchmark import Judged
from planwarden.planning.confidence.isotonic import fit_isotonic, read_isotonic

AUROC, ECE = 0.80, 0.05
SHOWN_POINTS = 21
MODES_JUDGED: Final[tuple[Mode, ...]] = ("prior", "fused")


def honesty(found: Crossed) -> Section:
    """Compare confidence with what was exactly right, as stated and as mapped by the other folds. Pure."""
    rows: list[dict[str, Cell]] = []
    tables: list[Table] = []
    figures: list[Figure] = []
    for mode in MODES_JUDGED:
        judged = found.judged[mode]
        if not judged:
            continue
        stated = cases_of(judged)
        mapped = cross_mapped(judged, found.fold)
        for label, cases in (("as stated", stated), ("other folds' map", mapped)):
            sure = sureness(cases)
            rows.append(_row(mode, label, sure))
        best = sureness(mapped)
        tables += [_reliability(mode, best), _risk(mode, best)]
        figures = [*_figures(mode, best), *figures]
    return Section(
        name="confidence",
        notes=(
            "Right: the very tools and the very order (exact plan). Plans of the cross-validation.",
            "As stated: with the map that ships, which may have been fitted on some of these tasks.",
            "Other folds' map: an isotonic map fitted to the plans of the four other folds.",
            "By chance: the ECE that perfect confidence would show. AURC: area under the risk curve.",
        ),
        tables=(table("confidence", "How far confidence can be believed", rows), *tables),
        figures=tuple(figures),
    )


def cases_of(judged: Sequence[Judged]) -> list[Case]:
    """Give each plan's confidence, 0 where there is none, and whether it was exactly right."""
    return [(_confidence(each), each.score.exact_plan == 1.0) for each in judged]


def cross_mapped(judged: Sequence[Judged], fold: Mapping[str, int]) -> list[Case]:
    """Give the same with each confidence mapped by a fit to the plans of the other folds."""
    maps = {
        place: fit_isotonic(
            [_confidence(each) for each in judged if fold[each.task.id] != place],
            [each.score.exact_plan for each in judged if fold[each.task.id] != place],
            least=LEAST_IN_A_BLOCK,
            prior=IMAGINED,
        )
        for place in {fold[each.task.id] for each in judged}
    }
    return [
        (read_isotonic(maps[fold[each.task.id]], _confidence(each)), each.score.exact_plan == 1.0)
        for each in judged
    ]


def _confidence(judged: Judged) -> float:
    plan = judged.attempted.plan
    return plan.confidence if plan else 0.0


def _row(mode: Mode, label: str, sure: Sureness) -> dict[str, Cell]:
    return {
        "planner": mode,
        "confidence": label,
        "plans": sure.cases,
        "right": sure.right,
        "AUROC": Measured.of(sure.auroc) if sure.auroc else None,
        "ECE": Measured.of(sure.ece),
        "by chance": sure.ece_by_chance,
        "Brier": Measured.of(sure.brier),
        "AURC": Measured.of(sure.aurc),
    }


def _reliability(mode: Mode, sure: Sureness) -> Table:
    rows: list[dict[str, Cell]] = [
        {
            "plans": each.count,
            "confidence": each.confidence,
            "exactly right": Measured(mean=each.right, low=each.low, high=each.high),
        }
        for each in sure.bins
    ]
    return table(f"reliability_{mode}", f"Reliability, {mode}: bins of equal mass", rows)


def _risk(mode: Mode, sure: Sureness) -> Table:
    """Thin the curve out to a few coverages, evenly."""
    last = len(sure.curve) - 1
    places = sorted({round(share * last / (SHOWN_POINTS - 1)) for share in range(SHOWN_POINTS)})
    rows: list[dict[str, Cell]] = [
        {
            "coverage": sure.curve[place].coverage,
            "wrong": sure.curve[place].risk,
            "least confidence": sure.curve[place].confidence,
        }
        for place in places
    ]
    return table(f"risk_{mode}", f"Risk against coverage, {mode}: the surest plans first", rows)


def _figures(mode: Mode, sure: Sureness) -> list[Figure]:
    return [
        reached_figure(
            f"AUROC for exact plans, {mode}, {sure.cases} plans", sure.auroc, AUROC, note="out of fold"
        ),
        reached_figure(
            f"expected calibration error, {mode}, {sure.cases} plans",
            sure.ece,
            ECE,
            at_most=True,
            note=f"out of fold; perfect confidence would show {sure.ece_by_chance:.3f}",
        ),
    ]
