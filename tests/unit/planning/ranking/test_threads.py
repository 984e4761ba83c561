"""BLAS has one thread while anyone ranks, and as many as before when nobody does; batches are shared out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from threading import Barrier, Thread, current_thread
from typing import Any, cast

import pytest
from learned_world import EVERYTHING, asking, catalog
from threadpoolctl import ThreadpoolController, threadpool_limits

from planwarden.planning.prior import PriorRequest
from planwarden.planning.ranking.encoder import Floats, SentenceEncoder
from planwarden.planning.ranking.learned_prior import LearnedPrior
from planwarden.planning.ranking.threads import Hands, one_blas_thread
from planwarden.planning.ranking.weights import RankerWeights

pytestmark = pytest.mark.requirement("RANK-24")


def threads() -> set[int]:
    """Give how many threads each BLAS library of this process has."""
    libraries = cast("list[dict[str, Any]]", ThreadpoolController().info())
    return {library["num_threads"] for library in libraries if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with threadpool_limits(limits=2, user_api="blas"):
        assert threads() == {2}
        yield


def test_blas_has_one_thread_inside_and_its_own_number_after_the_last_has_left() -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(one_blas_thread())
    second.enter_context(one_blas_thread())
    first.close()
    assert threads() == {1}
    second.close()
    assert threads() == {2}


def test_an_error_inside_gives_the_threads_back() -> None:
    with pytest.raises(ValueError, match="inside"), one_blas_thread():
        raise ValueError("inside")
    assert threads() == {2}


class Watched(SentenceEncoder):
    """An encoder that notes how many threads BLAS has when it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[set[int]] = []

    def encode(self, texts: Sequence[str]) -> Floats:
        self.seen.append(threads())
        return super().encode(texts)


def test_a_prior_is_made_with_one_thread_throughout(weights: RankerWeights) -> None:
    encoder = Watched()
    request = PriorRequest(text=asking("weather.forecast", 0), catalog=catalog(), policy=EVERYTHING)
    LearnedPrior(weights=weights, encoder=encoder).prior(request)
    assert encoder.seen
    assert all(seen == {1} for seen in encoder.seen)
    assert threads() == {2}


def test_two_hands_work_at_once_and_the_second_one_stays() -> None:
    hands, together, seen = Hands(), Barrier(2), list[Thread]()

    def work(_: list[int]) -> None:
        together.wait(60)  # nobody comes past alone
        seen.append(current_thread())

    hands.work([[0], [1]], work)
    hands.work([[2], [3]], work)
    assert len(seen) == 4
    assert len({*seen}) == 2
    assert current_thread() in seen


@pytest.mark.parametrize("broken", [0, 1, 4])
def test_every_batch_is_worked_on_once_and_an_error_is_heard_when_all_hands_have_stopped(broken: int) -> None:
    done = list[int]()

    def work(batch: list[int]) -> None:
        if batch == [broken]:
            raise ValueError(f"batch {broken}")
        done.extend(batch)

    hands = Hands()
    with pytest.raises(ValueError, match=f"batch {broken}"):
        hands.work([[at] for at in range(5)], work)
    assert sorted(done) == [at for at in range(5) if at != broken]
    done.clear()
    hands.work([[at] for at in range(5, 10)], work)
    assert sorted(done) == [5, 6, 7, 8, 9]


IN_A_CHILD = """
import os
import numpy as np
from planwarden.planning.ranking.encoder import SentenceEncoder

encoder = SentenceEncoder()
texts = [f"What is the weather in place number {at} on the {at}th of May?" for at in range(4)]
before = encoder.encode(texts)
child = os.fork()
if not child:
    after = encoder.encode([f"{text} Please." for text in texts])
    os._exit(0 if np.isfinite(after).all() and np.array_equal(encoder.encode(texts), before) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_encodes_with_hands_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_CHILD], capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
