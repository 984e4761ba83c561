"""`planwarden tune ranker`, and that `eval plans --memory` fits on no task that it plans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planwarden.evaluation import fitting
from planwarden.evaluation.worlds import shipped_worlds
from planwarden.planning.learning import fit
from planwarden.planning.learning.growing import Growth
from planwarden.planning.learning.tasks import LabelledTask
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.weights import RankerWeights, read_weights
from surfaces_kit import Cli

pytestmark = pytest.mark.requirement("RANK-9")

TOOLS = {
    "weather": ("The weather of a city", "How is the weather in {}?"),
    "flights": ("Find flights to a city", "Which flights go to {}?"),
    "music": ("Play songs", "Play a song from {}"),
    "recipes": ("Recipes to cook", "What do they cook in {}?"),
    "maps": ("Distances on the road", "How far is the road to {}?"),
}
WHERE = ("Paris", "Oslo", "Cairo", "Lima", "Rome", "Bonn", "Nice", "York", "Bern", "Kyiv", "Riga", "Baku")
OFFERED = [
    {"name": name, "description": said, "parameters": {"type": "object"}} for name, (said, _) in TOOLS.items()
]


def tasks(folder: Path, count: int, name: str = "tasks", first: int = 0) -> str:
    path = folder / f"{name}.jsonl"
    lines: list[str] = []
    for at in range(first, first + count):
        tool = [*TOOLS][at % len(TOOLS)]
        request = f"{TOOLS[tool][1].format(WHERE[at % len(WHERE)])} ({at})"
        gold = {"steps": [{"tool": tool}], "edges": [], "kind": "parallel"}
        lines.append(
            json.dumps({"id": f"t{at}", "source": "mine", "request": request, "tools": OFFERED, "gold": gold})
        )
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grow few trees."""
    for name in ("TOOL_GROWTH", "FOLD_GROWTH", "REPEAT_GROWTH", "PAIR_GROWTH"):
        monkeypatch.setattr(fit, name, Growth(trees=20, leaves=4, least_rows=5, rate=0.2))


@pytest.mark.usefixtures("quick")
def test_weights_are_written_and_kept_only_where_they_are_better(
    offline: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune = ("tune", "ranker", "--no-own-tasks", "--data", tasks(tmp_path, 60))
    out = tmp_path / "ranker.npz"
    made = offline(*tune, "--out", str(out), "--always", "--json")
    assert made.code == 0
    said: dict[str, Any] = made.json
    weights = read_weights(out)
    assert (said["written"], said["digest"]) == (str(out), weights.digest)
    assert said["tasks"] == 60
    assert 0 < said["held_out"] < 30
    assert said["after"]["count"] == said["held_out"]
    assert said["after"]["mean"] > 0.8
    assert not list(tmp_path.glob("*.part"))

    # The same again is no better than what is in force then.
    monkeypatch.setenv("PLANNER_LLM__RANKER", str(out))
    again = offline(*tune)
    assert again.code == 3
    assert "not written: not better beyond doubt" in again.out
    assert not (home / "ranker.npz").exists()

    # Beside weights that say the opposite it is better, and goes where it will be used.
    spoilt = weights.arrays()
    spoilt["company.value"] = -weights.company.value
    np.savez(out, allow_pickle=False, **spoilt)
    better = offline(*tune)
    assert better.code == 0
    assert "60 tasks, " in better.out
    assert "node-F1 of the weights in force" in better.out
    assert "written to" in better.out
    assert read_weights(home / "ranker.npz").digest == weights.digest


@pytest.mark.usefixtures("quick")
def test_weights_of_another_version_in_force_do_not_stand_in_the_way_of_their_remedy(
    offline: Cli, home: Path, tmp_path: Path
) -> None:
    old = read_weights().arrays()
    del old["columns"]
    home.mkdir(parents=True, exist_ok=True)
    np.savez(home / "ranker.npz", allow_pickle=False, **old)
    refused = offline("plan", "What is the latest price of IBM?", "--json").error(2, "data_rejected")
    assert "planwarden tune ranker" in refused["remedy"]
    tuned = offline("tune", "ranker", "--no-own-tasks", "--data", tasks(tmp_path, 60), "--always")
    assert tuned.code == 0
    assert "another version of Planwarden. Compared with those that ship instead" in tuned.out
    assert "node-F1 of the weights that ship" in tuned.out
    assert offline("plan", "What is the latest price of IBM?", "--json").code == 0


def test_too_few_tasks_are_refused_with_a_remedy(offline: Cli, tmp_path: Path) -> None:
    told = offline("tune", "ranker", "--no-own-tasks", "--data", tasks(tmp_path, 39), "--json")
    error = told.error(2, "data_rejected")
    assert "are too few to fit a ranker on" in error["message"]
    assert "--own-tasks" in error["remedy"]
    offline("tune", "ranker", "--no-own-tasks", "--json").error(2, "data_rejected")


@pytest.mark.usefixtures("quick")
def test_a_file_that_cannot_be_written_is_said(offline: Cli, tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("in the way")
    out = str(tmp_path / "blocked" / "ranker.npz")
    told = offline(
        "tune", "ranker", "--no-own-tasks", "--data", tasks(tmp_path, 60), "--out", out, "--always", "--json"
    )
    assert "--out" in told.error(2, "data_rejected")["remedy"]


def test_plans_are_never_measured_with_a_ranker_that_was_fitted_on_them(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[LabelledTask] = []

    def noting(known: Sequence[LabelledTask], encoder: SentenceEncoder, **more: object) -> RankerWeights:
        del encoder, more
        seen.extend(known)
        return read_weights()

    monkeypatch.setattr(fitting, "fit_ranker", noting)
    planned = tasks(tmp_path, 4, "planned")
    known = Path(tasks(tmp_path, 130, "known", first=2))  # t2 and t3 are planned too
    row = json.loads(Path(planned).read_text("utf-8").splitlines()[0])
    same = {**row, "id": "other", "request": f"  {row['request'].upper()} "}
    known.write_text(f"{known.read_text('utf-8')}\n{json.dumps(same)}", "utf-8")
    evaluate = ("eval", "plans", planned, "--planner", "prior", "--json", "--memory", str(known))
    assert cli(*evaluate).json["summaries"][-1]["tasks"] == 4
    mine = {task.id for task in seen if task.source == "mine"}
    assert mine == {f"t{at}" for at in range(4, 132)}
    assert {task.source for task in seen} == {"mine", "own", *(world.name for world in shipped_worlds())}
    seen.clear()
    assert cli(*evaluate, "--no-fit").code == 0
    assert seen == []
    few = tasks(tmp_path, 99, "few", first=4)
    assert cli(*evaluate[:-1], few).code == 0
    assert seen == []
