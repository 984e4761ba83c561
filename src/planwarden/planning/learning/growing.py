"""Growing a forest with LightGBM (Ke et al. 2017) and taking its trees over into our own form."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planwarden.planning.ranking.forest import Forest

Floats = NDArray[np.float32]
MAX_DEPTH = 6
UNTAUGHT = -3.0
"""Logit where there was nothing to learn from: about 0.05."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a forest is grown."""

    trees: int = 300
    leaves: int = 15
    least_rows: int = 40
    """In a leaf."""
    rate: float = 0.05
    seeds: tuple[int, ...] = (1,)
    """One run for each; the runs are averaged."""


def grow(rows: Floats, right: NDArray[np.bool_], growth: Growth) -> Forest:
    """Grow a forest that gives the probability that a row is right; deterministic for given seeds.

    Args:
        rows: signals, shape (rows, columns); without any, everything is held for unlikely.
        right: shape (rows,).
        growth: how.
    """
    if not len(rows):
        return _taken_over([{"leaf_value": UNTAUGHT}], runs=1)
    light: Any = importlib.import_module("lightgbm")  # only fitting needs it, and it brings SciPy
    labels = right.astype(np.int32)
    trees: list[dict[str, Any]] = []
    for seed in growth.seeds:
        options = {
            "objective": "binary", "learning_rate": growth.rate, "num_leaves": growth.leaves,
            "max_depth": MAX_DEPTH, "min_data_in_leaf": growth.least_rows, "feature_fraction": 0.5,
            "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5.0, "verbose": -1,
            "seed": seed, "deterministic": True, "force_row_wise": True, "boost_from_average": True,
        }  # fmt: skip
        model = light.train(options, light.Dataset(rows, labels), growth.trees)
        trees += [tree["tree_structure"] for tree in model.dump_model()["tree_info"]]
    return _taken_over(trees, runs=len(growth.seeds))


def _taken_over(trees: Sequence[dict[str, Any]], *, runs: int) -> Forest:
    listed = [_listed(tree) for tree in trees]
    nodes = max(len(each) for each in listed)
    shape = (len(listed), nodes)
    feature, left = np.full(shape, -1, np.int32), np.zeros(shape, np.int32)
    right, threshold = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    value = np.zeros(shape, np.float32)
    for row, tree in enumerate(listed):
        for at, (node_feature, node_threshold, node_left, node_right, node_value) in enumerate(tree):
            feature[row, at], left[row, at], right[row, at] = node_feature, node_left, node_right
            threshold[row, at], value[row, at] = node_threshold, node_value / runs
    return Forest(feature=feature, threshold=threshold, left=left, right=right, value=value)


def _listed(tree: dict[str, Any]) -> list[tuple[int, float, int, int, float]]:
    """Give a tree's nodes, the root first; thresholds rounded down so that single precision cuts alike."""
    nodes: list[tuple[int, float, int, int, float]] = []

    def add(node: dict[str, Any]) -> int:
        place = len(nodes)
        if "leaf_value" in node:
            nodes.append((-1, 0.0, 0, 0, float(node["leaf_value"])))
            return place
        nodes.append((0, 0.0, 0, 0, 0.0))
        left, right = add(node["left_child"]), add(node["right_child"])
        cut = _single(float(node["threshold"]))
        nodes[place] = (int(node["split_feature"]), cut, left, right, 0.0)
        return place

    add(tree)
    return nodes


def _single(threshold: float) -> float:
    """Give the largest single-precision number that is not above a threshold."""
    near = np.float32(threshold)
    return float(near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf)))
