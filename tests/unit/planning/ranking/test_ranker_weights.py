"""The ranker's weights on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planwarden.errors import DataRejected
from planwarden.planning.ranking.signals import SIGNALS
from planwarden.planning.ranking.weights import RankerWeights, read_weights

pytestmark = pytest.mark.requirement("RANK-6")


def stored(
    weights: RankerWeights, path: Path, **changed: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
) -> Path:
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **(weights.arrays() | changed))
    return path


def test_weights_are_read_as_they_were_stored(weights: RankerWeights, tmp_path: Path) -> None:
    read = read_weights(stored(weights, tmp_path / "w.npz"))
    assert read.digest == weights.digest
    assert all((read.arrays()[name] == array).all() for name, array in weights.arrays().items())


def test_a_digest_names_the_weights(weights: RankerWeights, tmp_path: Path) -> None:
    other = read_weights(stored(weights, tmp_path / "w.npz", none=weights.none + np.float32(1)))
    assert other.digest != weights.digest
    assert other.digest.startswith("sha256:")


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 half", b"\x93NUMPY"])
def test_a_file_that_holds_something_else_is_refused_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.npz"
    path.write_bytes(content)
    with pytest.raises(DataRejected, match="cannot be read") as told:
        read_weights(path)
    assert "planwarden tune ranker" in told.value.remedy


def test_a_missing_a_cut_and_a_flipped_file_are_refused(weights: RankerWeights, tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match="cannot be read"):
        read_weights(tmp_path / "none.npz")
    whole = stored(weights, tmp_path / "w.npz").read_bytes()
    cut, flipped = tmp_path / "cut.npz", tmp_path / "flipped.npz"
    cut.write_bytes(whole[: len(whole) // 2])
    middle = len(whole) // 2
    flipped.write_bytes(
        whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 64]) + whole[middle + 64 :]
    )
    single = tmp_path / "single.npy"
    np.save(single, np.zeros(3))
    for path in (cut, flipped, single):
        with pytest.raises(DataRejected, match="cannot be read"):
            read_weights(path)


def test_weights_of_another_version_are_refused_with_a_remedy(weights: RankerWeights, tmp_path: Path) -> None:
    feature = weights.arrays()["alone.feature"].copy()
    feature[0, 0] = len(SIGNALS)
    changes = ({"alone.feature": feature}, {"none": weights.none[1:]}, {"centre": weights.centre[1:]})
    for changed in changes:
        with pytest.raises(DataRejected, match="another version") as told:
            read_weights(stored(weights, tmp_path / "w.npz", **changed))
        assert "planwarden tune ranker" in told.value.remedy
