"""Diagrams of a calibration in plain characters, at most 78 columns wide. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from planwarden.evaluation.calibration.sureness import Bin, RiskPoint

SCALE = 50
"""Characters from 0 to 1."""
ROWS = 10
_INDENT = " " * 14


def reliability_lines(bins: Sequence[Bin]) -> tuple[str, ...]:
    """Draw a line for each bin: where it said it would be, where it was, and how sure that is.

    `◆` stands at the share that was right with its 95 % interval, `|` at the confidence; near is good.
    """
    head = f"{'said':>5}  {'right':>5}  0{'right →':^{SCALE - 1}}1    {'n':>4}"
    return (head, *(f"{b.confidence:>5.2f}  {b.right:>5.2f}  {_track(b)}  {b.count:>6}" for b in bins))


def _track(own: Bin) -> str:
    cells = ["·"] * (SCALE + 1)
    low, high = _cell(own.low), _cell(own.high)
    for place in range(low, high + 1):
        cells[place] = "─"
    cells[low], cells[high] = "├", "┤"
    said, right = _cell(own.confidence), _cell(own.right)
    cells[said] = "|"
    cells[right] = "◈" if said == right else "◆"
    return "".join(cells)


def _cell(share: float) -> int:
    return round(min(max(share, 0.0), 1.0) * SCALE)


def risk_lines(curve: Sequence[RiskPoint]) -> tuple[str, ...]:
    """Draw the share of wrong plans (up) against the share of plans that are followed (right)."""
    columns = [_at(curve, (place + 1) / SCALE) for place in range(SCALE)]
    top = max(0.1, *columns)
    step = top / ROWS
    drawn: list[str] = []
    for row in range(ROWS, 0, -1):
        cells = "".join(_part(risk / step - (row - 1)) for risk in columns)
        label = f"{row * step:>5.0%}" if row in (ROWS, ROWS // 2) else " " * 5
        drawn.append(f"{'wrong' if row == ROWS else '':>6}  {label} ┤{cells}")
    drawn.append(f"{_INDENT}└{'─' * SCALE}")
    drawn.append(f"{_INDENT} 0%{'followed →':^{SCALE - 6}}100%")
    return tuple(drawn)


def _part(height: float) -> str:
    """Give the block that fills a cell from below, by eighths."""
    return " ▁▂▃▄▅▆▇█"[round(min(max(height, 0.0), 1.0) * 8)]


def _at(curve: Sequence[RiskPoint], coverage: float) -> float:
    return next(point.risk for point in curve if point.coverage >= coverage - 1e-9)
