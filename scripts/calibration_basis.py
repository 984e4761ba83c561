"""Prepare what the shipped calibration is measured with: tasks, memory, a ranker that saw none of them.

python scripts/calibration_basis.py ../shared/data/plans-dev build/basis
PLANNER_LLM__RANKER=build/basis/trial.npz PLANWARDEN_HOME=build/home planwarden calibrate \
  --tasks build/basis/public.jsonl --tasks build/basis/own.jsonl --memory build/basis/memory.jsonl
python scripts/ship_calibration.py build/home/calibrations/*.json

The ranker that ships is then fitted on the held-out tasks too; the calibration's `prior_version` names it. Then
python scripts/prior_confidence.py ../shared/data/plans-dev
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from planwarden.evaluation.fitting import shipped_labelled
from planwarden.evaluation.labelled import labelled
from planwarden.evaluation.own_tasks import shipped_own_tasks
from planwarden.evaluation.plan_tasks import read_plan_tasks
from planwarden.evaluation.worlds import world_tasks
from planwarden.planning.learning.fit import fit_ranker
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.tuning.held_out import is_held_out

UNLICENSED = "ultratool"
"""Names no licence: it may be remembered and measured on, nothing that ships is fitted on it."""


def main(data: Path, out: Path) -> None:
    """Write the files."""
    out.mkdir(parents=True, exist_ok=True)
    public = read_plan_tasks(sorted(data.glob("*.jsonl")))
    worlds, own = world_tasks(), [task for task in shipped_own_tasks() if task.split == "train"]
    held = [task for task in (*public, *worlds) if is_held_out(task.id)]
    rest = [task for task in (*public, *worlds) if not is_held_out(task.id)]
    _write(out / "public.jsonl", (task for task in held if task.gold.steps))
    _write(out / "own.jsonl", (task for task in own if is_held_out(task.id)))
    _write(out / "memory.jsonl", (task for task in rest if task.gold.steps))
    known = [labelled(task) for task in public if task.source != UNLICENSED and not is_held_out(task.id)]
    known += [task for task in shipped_labelled() if not is_held_out(task.id)]
    weights = fit_ranker(known, SentenceEncoder(), progress=print)
    np.savez_compressed(out / "trial.npz", allow_pickle=False, **weights.arrays())


def _write(path: Path, tasks: Iterable[BaseModel]) -> None:
    path.write_text("".join(f"{task.model_dump_json()}\n" for task in tasks), "utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
