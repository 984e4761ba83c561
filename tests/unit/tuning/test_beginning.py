"""What training begins with: the adapter in use where it has the size that is wanted, else none, and why."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from planwarden.configuration.settings import load_settings
from planwarden.llm.embedded.adapter import PLANNER, Adapter
from planwarden.tuning.adapter_file import Misfit, matrices_of, read_matrices
from planwarden.tuning.beginning import Anew, Continued, beginning
from planwarden.tuning.llama import LINEAR, Lora, Matrices
from planwarden.tuning.tune import rival_of

pytestmark = pytest.mark.requirement("TUNE-12")

SHIPPED = Path(str(files("planwarden.llm.embedded"))) / "adapters" / PLANNER.file_name
USED = Adapter(path=SHIPPED, digest=PLANNER.digest, label="planner")
NAMES = [f"blk.{layer}.{name}.weight" for layer in range(2) for name in LINEAR]
NAMED = {f"{name}.lora_a": np.zeros((4, 9)) for name in NAMES} | {
    f"{name}.lora_b": np.ones((7, 4)) for name in NAMES
}
SIZE = Lora(rank=4, alpha=8.0)


def why(found: Matrices | Misfit) -> str:
    assert isinstance(found, Misfit)
    return found.why


def test_the_adapter_that_ships_is_read_whole_and_gone_on_from() -> None:
    found = read_matrices(SHIPPED, Lora())
    assert isinstance(found, Matrices)
    assert len(found.a) == len(found.b) == 30 * len(LINEAR)
    key = "blk.29.ffn_down.weight"
    assert (found.a[key].shape, found.b[key].shape) == ((16, 1536), (576, 16))
    assert float(np.abs(found.b[key]).max()) > 0.0
    start = beginning(USED, Lora(), from_scratch=False)
    assert isinstance(start, Continued)
    assert (start.digest, start.matrices.a.keys()) == (PLANNER.digest, found.a.keys())
    assert start.said == f"goes on from the adapter in use, {PLANNER.digest[:19]}…"


@pytest.mark.parametrize(
    ("lora", "said"),
    [
        (Lora(rank=8, alpha=16.0), "has rank 16 where 8 is wanted; --rank 16 goes on from it"),
        (
            Lora(rank=16, alpha=16.0),
            (
                "has alpha 32 where 16 is wanted (twice the rank); only one of the same size can be gone on"
                " from; PLANNER_LLM__ADAPTER can name another"
            ),
        ),
    ],
)
def test_an_adapter_of_another_size_is_named_with_what_does_not_fit(lora: Lora, said: str) -> None:
    start = beginning(USED, lora, from_scratch=False)
    named = f"the one in use, {PLANNER.digest[:19]}…"
    assert start == Anew(because=f"{named}, {said}")


@pytest.mark.parametrize("lora", [Lora(), Lora(rank=8, alpha=16.0)])
def test_an_adapter_that_is_switched_off_is_not_said_to_be_in_use(lora: Lora) -> None:
    said = beginning(USED, lora, from_scratch=False, off=True).said
    assert f"that auto stands for (PLANNER_LLM__ADAPTER is none), {PLANNER.digest[:19]}…" in said
    assert "in use" not in said


def test_without_an_adapter_and_from_scratch_training_begins_with_none_and_says_why() -> None:
    assert beginning(None, Lora(), from_scratch=False).said == "begins with no adapter: none is in use"
    assert beginning(USED, Lora(), from_scratch=True).said == "begins with no adapter: --from-scratch"


def test_matrices_fit_only_as_pairs_of_one_rank_on_every_layer_with_the_right_alpha() -> None:
    found = matrices_of(NAMED, SIZE, alpha=8.0)
    assert isinstance(found, Matrices)
    assert found.a.keys() == found.b.keys() == {*NAMES}
    other = matrices_of(NAMED, Lora(rank=8, alpha=8.0), alpha=8.0)
    assert "has rank 4 where 8" in why(other)
    assert isinstance(other, Misfit)
    assert "--rank" not in other.remedy  # its alpha does not fit that rank either
    assert "names no alpha" in why(matrices_of(NAMED, SIZE, alpha=None))
    mixed = NAMED | {f"{NAMES[3]}.lora_a": np.zeros((6, 9))}
    assert "has rank 4, 6 where 4" in why(matrices_of(mixed, SIZE, alpha=8.0))
    some = {key: value for key, value in NAMED.items() if NAMES[3] not in key}
    halves = [
        {key: value for key, value in NAMED.items() if key != f"{NAMES[3]}.lora_{half}"} for half in "ab"
    ]
    for named in ({}, some, *halves):
        assert "every linear layer" in why(matrices_of(named, SIZE, alpha=8.0))


def test_what_is_tuned_has_to_beat_what_it_would_take_the_place_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for adapter, rival in (
        ("auto", "auto"),
        ("none", "auto"),
        (str(tmp_path / "a.gguf"), tmp_path / "a.gguf"),
    ):
        monkeypatch.setenv("PLANNER_LLM__ADAPTER", adapter)
        assert rival_of(load_settings()) == rival
