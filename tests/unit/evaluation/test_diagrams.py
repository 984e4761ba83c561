from __future__ import annotations

import struct
import zlib
from pathlib import Path
from random import Random

import pytest

from planwarden.cli.text_diagrams import reliability_lines, risk_lines
from planwarden.errors import ConfigurationError, DataRejected
from planwarden.evaluation.calibration import diagrams
from planwarden.evaluation.calibration.diagrams import Drawn, write_diagrams
from planwarden.evaluation.calibration.sureness import sureness

pytestmark = pytest.mark.requirement("CAL-8")

RANDOM = Random(4)
CASES = [(p, RANDOM.random() < p) for p in (RANDOM.random() for _ in range(120))]
SURE = sureness(CASES, resamples=20)
DRAWN = Drawn(label="ollama m", after=SURE, before=SURE, cases=CASES)


def no_spec(_name: str) -> None:
    """Have no library."""


def pixels(path: Path) -> tuple[int, int, set[bytes]]:
    """Read width, height and the distinct rows of a PNG, without a library."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert (depth, kind) == (8, 6)
    body, at = b"", 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            body += data[at + 8 : at + 8 + size]
        at += size + 12
    rows = zlib.decompress(body)
    line = width * 4 + 1
    return width, height, {rows[place : place + line] for place in range(0, len(rows), line)}


def test_both_diagrams_are_pictures_with_something_on_them(tmp_path: Path) -> None:
    for path in write_diagrams(tmp_path / "new" / "folder", DRAWN):
        width, height, rows = pixels(path)
        assert (width, height) == (960, 900)
        assert len(rows) > height / 3


def test_without_the_extra_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagrams, "find_spec", no_spec)
    with pytest.raises(ConfigurationError) as refused:
        write_diagrams(tmp_path, DRAWN)
    assert "`pip install '.[plots]'` in a checkout" in refused.value.remedy


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataRejected, match="cannot be written"):
        write_diagrams(tmp_path / "file", DRAWN)


def test_the_terminals_diagrams_fit_80_columns_and_show_each_bin() -> None:
    lines = reliability_lines(SURE.bins)
    assert len(lines) == len(SURE.bins) + 1
    assert all("◆" in line or "◈" in line for line in lines[1:])
    drawn = risk_lines(SURE.curve)
    assert "█" in drawn[-3]
    assert max(map(len, (*lines, *drawn))) <= 78
    assert drawn[0].count("█") <= drawn[-3].count("█")
