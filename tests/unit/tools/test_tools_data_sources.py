"""What data there is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from planwarden.errors import DataRejected
from planwarden.tools import data_sources
from planwarden.tools.data_sources import open_sources

pytestmark = pytest.mark.requirement("TOOL-4")


def test_without_paths_the_samples_are_used(tmp_path: Path) -> None:
    sources = open_sources([], folder=tmp_path)
    assert sources.samples
    assert [table.name for table in sources.tables] == ["seattle_weather", "stocks"]
    assert 14 <= len(sources.documents) <= 20
    assert "tool-policy.md" in {document.name for document in sources.documents}


def test_files_and_folders_are_sorted_into_tables_and_documents(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / ".git").mkdir()
    for name in (
        "a.csv",
        "deep/a.csv",
        "b.JSONL",
        "notes.md",
        "deep/notes.md",
        "photo.png",
        ".hidden.md",
        ".git/x.md",
    ):
        (folder / name).write_text("x")
    (tmp_path / "2024 sales!.parquet").write_text("x")
    sources = open_sources(["data", "2024 sales!.parquet", "data/a.csv"], folder=tmp_path)
    assert [table.name for table in sources.tables] == ["a", "b", "a_2", "t_2024_sales"]
    assert [document.name for document in sources.documents] == ["deep/notes.md", "notes.md"]
    assert [skipped.path.name for skipped in sources.skipped] == ["photo.png"]
    assert not sources.samples


def test_a_missing_path_is_refused_with_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(DataRejected, match=str(tmp_path / "absent.csv")):
        open_sources(["absent.csv"], folder=tmp_path)


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataRejected, match=r"no known format.*\.csv.*\.parquet.*\.md"):
        open_sources(["photo.png"], folder=tmp_path)


def test_an_empty_file_and_a_useless_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "photo.png").write_bytes(b"x")
    with pytest.raises(DataRejected, match=r"'empty\.csv' is empty"):
        open_sources(["empty.csv"], folder=tmp_path)
    with pytest.raises(DataRejected, match="holds no file that can be used"):
        open_sources(["folder"], folder=tmp_path)
    with pytest.raises(DataRejected, match="NUL"):
        open_sources(["a\x00b"], folder=tmp_path)


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.md").write_text("secret")
    (folder / "mine.md").write_text("mine")
    (folder / "file.md").symlink_to(outside / "secret.md")
    (folder / "all").symlink_to(outside)
    (folder / "inside.md").symlink_to(folder / "mine.md")
    (folder / "dangling.md").symlink_to(folder / "absent.md")
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.md")
    sources = open_sources([folder], folder=tmp_path)
    assert {document.path.resolve() for document in sources.documents} == {folder / "mine.md"}


def test_too_many_files_and_too_large_documents_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        (tmp_path / f"{number}.md").write_text("word")
    monkeypatch.setattr(data_sources, "MAX_FILES", 3)
    with pytest.raises(DataRejected, match="more than 3 files"):
        open_sources(["."], folder=tmp_path)
    monkeypatch.setattr(data_sources, "MAX_DOCUMENT_BYTES", 3)
    with pytest.raises(DataRejected, match="larger than 3 bytes"):
        open_sources(["1.md"], folder=tmp_path)
