"""What the ranker has learned: its forests, how rare letters are, directions of meaning. Read once, kept."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planwarden.errors import DataRejected
from planwarden.planning.ranking.company import COMPANY
from planwarden.planning.ranking.encoder import FORM, WIDTH
from planwarden.planning.ranking.forest import Forest, read_forest
from planwarden.planning.ranking.lexicon import PLACES, Lexicon
from planwarden.planning.ranking.order import BEFORE, LINKED, TOPICS
from planwarden.planning.ranking.signals import SIGNALS

Floats = NDArray[np.float32]

SHIPPED = Path(__file__).parent / "weights" / "ranker.npz"
FITTING = ("bias", "best", "second", "expected", "nearest_lesson", "meaning", "letters", "clauses")
"""What tells whether any tool fits; see `fitting`."""
_COLUMNS = {
    "alone": len(SIGNALS),
    "company": len(SIGNALS) + len(COMPANY),
    "repeats": len(SIGNALS) + len(COMPANY),
    "before": len(BEFORE),
    "linked": len(LINKED),
}
"""Forest → how many columns it reads."""
_COLUMN_NAMES = np.frombuffer(
    hashlib.sha256("\n".join([FORM, *SIGNALS, *COMPANY, *LINKED, *FITTING]).encode()).digest(), np.uint8
)
"""Names the columns and the encoder: weights that were learned of others would read one for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerWeights:
    """Everything learned; made by `planwarden tune ranker`."""

    lexicon: Lexicon
    alone: Forest
    """Whether a tool is in the plan, from its own signals."""
    company: Forest
    """The same, seeing the others too."""
    repeats: Forest
    """Whether a tool in the plan is used more than once."""
    before: Forest
    linked: Forest
    topics: Floats
    """Directions of meaning, shape (384, TOPICS)."""
    centre: Floats
    """Mean meaning of a request, shape (384,)."""
    none: Floats
    """Coefficients of FITTING for the logit that no tool fits."""

    @property
    def digest(self) -> str:
        """Name these weights."""
        whole = hashlib.sha256()
        for name, array in sorted(self.arrays().items()):
            whole.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return f"sha256:{whole.hexdigest()}"

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Give everything under a name, to be stored with `numpy.savez_compressed`."""
        forests: dict[str, Forest] = {name: getattr(self, name) for name in _COLUMNS}
        stored = {
            name: array for prefix, forest in forests.items() for name, array in forest.arrays(prefix).items()
        }
        return stored | {
            "rarity": self.lexicon.rarity.astype(np.float16),
            "topics": self.topics,
            "centre": self.centre,
            "none": self.none,
            "columns": _COLUMN_NAMES,
        }


def read_weights(path: Path = SHIPPED) -> RankerWeights:
    """Read weights from a file.

    Raises:
        DataRejected: it is missing, damaged, or of another version of the ranker.
    """
    try:
        arrays = _stored(path)
        forests = {name: read_forest(arrays, name) for name in _COLUMNS}
        weights = RankerWeights(
            lexicon=Lexicon(arrays["rarity"].astype(np.float32)),
            topics=arrays["topics"].astype(np.float32),
            centre=arrays["centre"].astype(np.float32),
            none=arrays["none"].astype(np.float32),
            **forests,
        )
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataRejected(
            f"The ranker's weights {path} cannot be read: {error}.",
            remedy="Make them anew with `planwarden tune ranker`, or unset PLANNER_LLM__RANKER.",
        ) from error
    wrong = [name for name, columns in _COLUMNS.items() if int(forests[name].feature.max()) >= columns]
    same = np.array_equal(arrays.get("columns", np.zeros(0, np.uint8)), _COLUMN_NAMES)
    shapes = (weights.lexicon.rarity.shape, weights.topics.shape, weights.centre.shape, weights.none.shape)
    if wrong or not same or shapes != ((PLACES,), (WIDTH, TOPICS), (WIDTH,), (len(FITTING),)):
        raise DataRejected(
            f"The ranker's weights {path} are of another version of Planwarden.",
            remedy="Make them anew with `planwarden tune ranker`; or delete the file, and unset "
            "PLANNER_LLM__RANKER.",
        )
    return weights


def _stored(path: Path) -> dict[str, NDArray[np.generic]]:
    """Give the arrays of a file.

    Raises:
        ValueError: it holds a single array.
    """
    with path.open("rb") as file:
        found = np.load(file, allow_pickle=False)
        if not isinstance(found, np.lib.npyio.NpzFile):
            msg = "it is no archive of arrays"
            raise ValueError(msg)  # noqa: TRY004 - what the file holds, not what the caller gave
        return {name: found[name] for name in found.files}
