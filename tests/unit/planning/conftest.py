"""Fixtures of the ranker's tests: the encoder that ships, and weights fitted on a few tasks, once."""

import pytest
from learned_world import labelled_tasks, small_forests

from planwarden.planning.learning.fit import fit_ranker
from planwarden.planning.ranking.encoder import SentenceEncoder
from planwarden.planning.ranking.weights import RankerWeights


@pytest.fixture(scope="session")
def encoder() -> SentenceEncoder:
    return SentenceEncoder()


@pytest.fixture(scope="session")
def weights(encoder: SentenceEncoder) -> RankerWeights:
    with small_forests():
        return fit_ranker(labelled_tasks(), encoder)
