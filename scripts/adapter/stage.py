"""Trains the third stage of the adapter that ships: what it was, gone on with over many more catalogs.

python scripts/adapter/stage.py ../shared/data/plans-dev build/adapter build/planner.gguf

Needs the libraries of `pip install '.[tune]'`. The first folder has the benchmark's development set, of which
a fifth is left out (`planwarden.tuning.held_out`) and UltraTool is not read; the second what `tasks.py` made.
It goes on from the adapter that ships; for the very same one, put back the one before it (commit e14143c).
"""

from __future__ import annotations

import sys
from pathlib import Path

from planwarden.configuration.settings import load_settings
from planwarden.evaluation.plan_tasks import PlanTask, read_plan_tasks
from planwarden.llm.embedded import model_file
from planwarden.llm.embedded.adapter import shipped
from planwarden.tuning.adapter_file import write_adapter
from planwarden.tuning.beginning import Continued, beginning
from planwarden.tuning.held_out import parted
from planwarden.tuning.lessons import Lesson, lessons_of
from planwarden.tuning.training import Recipe, Step, train
from planwarden.tuning.tune import shipped_lessons
from planwarden.tuning.weights import OpenWeights

PUBLIC = ("nestful", "bfcl", "sealtools", "agentdojo", "restbench")
FARTHER = ("callnavi", "stabletoolbench", "metatool")
TWICE = 2
"""How often tasks with links are seen in the one epoch: the public ones and the worlds."""
RECIPE = Recipe(epochs=1, learning_rate=3e-4, seed=11)


def learned(tasks: tuple[PlanTask, ...]) -> list[Lesson]:
    """Give what is learned of some tasks: all but the fifth that is held out."""
    return list(lessons_of(parted(tasks)[0]))


def main(data: Path, more: Path, out: Path) -> None:
    """Train and write."""
    public = learned(read_plan_tasks([data / f"{name}.jsonl" for name in PUBLIC]))
    worlds = list(lessons_of(read_plan_tasks([more / "worlds.jsonl"])))
    farther = [each for name in FARTHER for each in learned(read_plan_tasks([more / f"{name}.jsonl"]))]
    lessons = [*public * TWICE, *worlds * TWICE, *farther, *shipped_lessons()]
    path = model_file.find(load_settings().planwarden_cache / "models")
    if path is None:
        sys.exit("There are no weights to tune: run `planwarden models fetch`.")
    base = model_file.digest_of(path)
    start = beginning(shipped(base), RECIPE.lora, from_scratch=False)
    print(f"{len(lessons)} lessons; training {start.said}", flush=True)
    if not isinstance(start, Continued):
        sys.exit(1)
    model = train(lessons, OpenWeights(path), RECIPE, told, start.matrices)
    write_adapter(model, out, base=base, name="planwarden planner")
    print(f"{out}: {model_file.digest_of(out)}")


def told(step: Step) -> None:
    """Say how far training is."""
    if step.number % 20 == 0:
        print(f"step {step.number} of {step.of}, loss {step.loss:.3f}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
