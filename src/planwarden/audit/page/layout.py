"""Where the steps of a plan stand in its graph: layers by dependency, as few crossings as a few sweeps find.

After Sugiyama, Tagawa, Toda (1981): longest-path layers, a thin stand-in on every layer that an arrow passes,
order within a layer by the barycentre of what it hangs from. Pure.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BOX_WIDTH = 268.0
GAP = 30.0
LAYER_GAP = 44.0
THIN = 14.0
"""Width of the place that an arrow takes on a layer which it passes."""
SWEEPS = 4

Edge = tuple[str, str]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a step stands: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A plan's graph on a plane."""

    boxes: Mapping[str, Box]
    arrows: Mapping[Edge, tuple[Point, ...]]
    """From the lower edge of a step to the upper edge of one that builds on it, past the layers between."""
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Node:
    """A step, or the place where an arrow passes a layer."""

    step: str
    arrow: Edge | None = None


def lay_out(depends_on: Mapping[str, Sequence[str]], heights: Mapping[str, float]) -> Layout:
    """Place steps; `depends_on` is in plan order, each on earlier ones."""
    layer = _layers(depends_on)
    rows, above = _rows(depends_on, layer)
    for _ in range(SWEEPS):
        _order(rows, above)
    width = max((_row_width(row) for row in rows), default=0.0)
    boxes: dict[str, Box] = {}
    passed: dict[_Node, tuple[Point, Point]] = {}
    y = 0.0
    for row in rows:
        height = max((heights[node.step] for node in row if node.arrow is None), default=0.0)
        x = (width - _row_width(row)) / 2
        for node in row:
            if node.arrow is None:
                boxes[node.step] = Box(x=x, y=y, width=BOX_WIDTH, height=heights[node.step])
            else:
                passed[node] = ((x + THIN / 2, y), (x + THIN / 2, y + height))
            x += _width(node) + GAP
        y += height + LAYER_GAP
    arrows = {edge: _arrow(edge, boxes, passed) for edge in _edges(depends_on)}
    return Layout(boxes=boxes, arrows=arrows, width=width, height=max(0.0, y - LAYER_GAP))


def _edges(depends_on: Mapping[str, Sequence[str]]) -> list[Edge]:
    return [(source, step) for step, sources in depends_on.items() for source in dict.fromkeys(sources)]


def _layers(depends_on: Mapping[str, Sequence[str]]) -> dict[str, int]:
    layer: dict[str, int] = {}
    for step, sources in depends_on.items():
        layer[step] = 1 + max((layer[source] for source in sources), default=-1)
    return layer


def _rows(
    depends_on: Mapping[str, Sequence[str]], layer: Mapping[str, int]
) -> tuple[list[list[_Node]], dict[_Node, list[_Node]]]:
    """Give the nodes of each layer, and for each node what it hangs from on the layer above."""
    rows: list[list[_Node]] = [[] for _ in range(1 + max(layer.values(), default=-1))]
    above: dict[_Node, list[_Node]] = {}
    for step in depends_on:
        rows[layer[step]].append(_Node(step))
    for source, step in _edges(depends_on):
        last = _Node(source)
        for passing in range(layer[source] + 1, layer[step]):
            thin = _Node(f"{passing}", (source, step))
            rows[passing].append(thin)
            above.setdefault(thin, []).append(last)
            last = thin
        above.setdefault(_Node(step), []).append(last)
    return rows, above


def _order(rows: list[list[_Node]], above: Mapping[_Node, Sequence[_Node]]) -> None:
    for upper, row in itertools.pairwise(rows):
        place = {node: float(at) for at, node in enumerate(upper)}
        own = {node: at for at, node in enumerate(row)}
        row.sort(key=lambda node: (_centre(above.get(node, ()), place, own[node]), own[node]))


def _centre(hangs_from: Sequence[_Node], place: Mapping[_Node, float], own: int) -> float:
    if not hangs_from:
        return float(own)
    return sum(place[node] for node in hangs_from) / len(hangs_from)


def _width(node: _Node) -> float:
    return BOX_WIDTH if node.arrow is None else THIN


def _row_width(row: Sequence[_Node]) -> float:
    return sum(_width(node) for node in row) + GAP * (len(row) - 1)


def _arrow(
    edge: Edge, boxes: Mapping[str, Box], passed: Mapping[_Node, tuple[Point, Point]]
) -> tuple[Point, ...]:
    source, target = boxes[edge[0]], boxes[edge[1]]
    begin = (source.x + source.width / 2, source.y + source.height)
    end = (target.x + target.width / 2, target.y)
    between = [ends for node, ends in passed.items() if node.arrow == edge]
    return (begin, *(point for ends in between for point in ends), end)
