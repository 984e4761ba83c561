"""The file of measurements: whole or not at all, refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from planwarden.configuration.measurements import (
    FILE_NAME,
    shipped_measurements,
    store_measurement,
    stored_measurements,
)
from planwarden.errors import StoreCorrupt, StoreUnavailable

pytestmark = pytest.mark.requirement("ANS-3")


def test_a_measurement_stored_is_read_back_beside_the_others(tmp_path: Path) -> None:
    (one,) = shipped_measurements().values()
    other = one.model_copy(update={"model": "other"})
    assert stored_measurements(tmp_path / "home") == {}
    store_measurement(tmp_path / "home", one)
    store_measurement(tmp_path / "home", other)
    assert stored_measurements(tmp_path / "home") == {one.model: one, "other": other}
    assert [path.name for path in (tmp_path / "home").iterdir()] == [FILE_NAME]


def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"x": 1}')
    (one,) = shipped_measurements().values()
    with pytest.raises(StoreCorrupt, match="measurements") as refused:
        store_measurement(tmp_path, one)
    assert "planwarden models measure" in refused.value.remedy
    assert (tmp_path / FILE_NAME).read_text() == '{"x": 1}'


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (one,) = shipped_measurements().values()
    with pytest.raises((StoreUnavailable, StoreCorrupt)):
        store_measurement(tmp_path / "file", one)
