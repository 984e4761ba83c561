"""What data the tools may read: the files the user pointed at, or the samples that ship."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from planwarden.errors import DataRejected

TableFormat = Literal["csv", "parquet", "json"]

TABLE_FORMATS: dict[str, TableFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
DOCUMENT_SUFFIXES = frozenset({".md", ".txt", ".rst", ".html", ".htm"})
PLAYBOOK_SUFFIXES = frozenset({".yaml", ".yml"})
"""Read only when the file is a playbook, see `is_playbook`: other YAML is somebody's configuration."""
PLAYBOOK_FOLDER = "playbooks"
MAX_FILES = 500
MAX_DOCUMENT_BYTES = 5_000_000
SAMPLES = Path(__file__).resolve().parent / "samples"

_KNOWN = (
    f"tables ({', '.join(TABLE_FORMATS)}), documents ({', '.join(sorted(DOCUMENT_SUFFIXES))})"
    f" and playbooks ({', '.join(sorted(PLAYBOOK_SUFFIXES))} with a line `kind: playbook`)"
)
_SAYS_PLAYBOOK = re.compile(rb"^kind:[ \t]*['\"]?playbook['\"]?[ \t\r]*$", re.MULTILINE)
_HEAD_BYTES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """A file that holds a table. `name` is unique among the tables and safe as an SQL identifier."""

    name: str
    path: Path
    format: TableFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFile:
    """A file that holds text. `name` is unique among the documents: its path inside what was pointed at."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedFile:
    """A file of a folder that no tool reads, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSources:
    """The data of one process; nothing outside it is read."""

    tables: tuple[TableFile, ...] = ()
    documents: tuple[DocumentFile, ...] = ()
    skipped: tuple[SkippedFile, ...] = ()
    samples: bool = False
    """Whether these are the samples that ship, because the user pointed at nothing."""


def open_sources(paths: Sequence[str | Path], *, folder: Path) -> DataSources:
    """Find the tables and documents among `paths` (files or folders); the samples when there are none.

    Relative paths are taken from `folder`. A folder is read with its sub-folders; hidden files are left out,
    and so are links that lead out of it. Files of a folder that cannot be used are listed in `skipped`.

    Raises:
        DataRejected: a path is missing, of no known format, empty or too large, a folder holds nothing
            usable, or there are more than `MAX_FILES` files.
    """
    if not paths:
        found = sorted(_files_under(SAMPLES))
        found = [(name, path) for name, path in found if path.name != "README.md"]
        return _sorted_out(found, (), samples=True)
    files: list[tuple[str, Path]] = []
    skipped: list[SkippedFile] = []
    for given in paths:
        if "\x00" in str(given):
            raise DataRejected("a data path contains a NUL byte.", remedy="Give an existing file or folder.")
        path = folder / Path(given).expanduser()
        if path.is_dir():
            _take_folder(path.resolve(), files, skipped)
        elif path.is_file():
            if problem := _problem(path):
                raise DataRejected(f"'{given}' {problem}.", remedy=f"Give files of a known format: {_KNOWN}.")
            files.append((path.name, path.resolve()))
        else:
            raise DataRejected(
                f"'{given}' does not exist (looked at {path}).", remedy="Give an existing file or folder."
            )
    return _sorted_out(files, skipped, samples=False)


def is_playbook(path: Path) -> bool:
    """Say whether a file is to be read as a playbook: in a folder `playbooks`, or with `kind: playbook`.

    The line has to stand among the first 4,096 bytes, in a Markdown file in its front matter. YAML in such a
    folder without that line needs a key `steps`: other tools have folders of that name too.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    is_yaml = path.suffix.lower() in PLAYBOOK_SUFFIXES
    if PLAYBOOK_FOLDER in path.parent.parts and (not is_yaml or re.search(rb"^steps:", head, re.MULTILINE)):
        return True
    if not is_yaml:
        head = head.removeprefix(b"\xef\xbb\xbf")
        head = re.split(rb"^---[ \t\r]*$", head, maxsplit=2, flags=re.MULTILINE)[1] if _opens(head) else b""
    return _SAYS_PLAYBOOK.search(head) is not None


def _opens(head: bytes) -> bool:
    """Say whether a document begins with front matter."""
    return re.match(rb"---[ \t\r]*\n", head) is not None


def _take_folder(folder: Path, files: list[tuple[str, Path]], skipped: list[SkippedFile]) -> None:
    usable = 0
    for name, path in sorted(_files_under(folder)):
        if problem := _problem(path):
            skipped.append(SkippedFile(path=path, reason=problem))
        else:
            files.append((name, path))
            usable += 1
    if not usable:
        raise DataRejected(
            f"the folder '{folder}' holds no file that can be used ({len(skipped)} of other kinds).",
            remedy=f"Known formats: {_KNOWN}.",
        )


def _files_under(folder: Path) -> Iterable[tuple[str, Path]]:
    """Walk without following linked folders; a linked file counts only when it ends inside `folder`."""
    seen = 0
    for current, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in names:
            path = Path(current) / name
            if name.startswith(".") or not path.resolve().is_relative_to(folder) or not path.is_file():
                continue
            seen += 1
            if seen > MAX_FILES:
                raise DataRejected(
                    f"the folder '{folder}' holds more than {MAX_FILES} files.",
                    remedy="Point at a smaller folder or at single files.",
                )
            yield path.relative_to(folder).as_posix(), path


def _problem(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in PLAYBOOK_SUFFIXES and not is_playbook(path):
        return "is YAML, but no playbook (it has no line `kind: playbook`)"
    if suffix not in TABLE_FORMATS and suffix not in DOCUMENT_SUFFIXES | PLAYBOOK_SUFFIXES:
        return f"is of no known format ('{suffix or path.name}')"
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if size == 0:
        return "is empty"
    if suffix not in TABLE_FORMATS and size > MAX_DOCUMENT_BYTES:
        return f"is larger than {MAX_DOCUMENT_BYTES:,} bytes"
    return ""


def _sorted_out(
    files: Sequence[tuple[str, Path]], skipped: Iterable[SkippedFile], *, samples: bool
) -> DataSources:
    if len(files) > MAX_FILES:
        raise DataRejected(f"more than {MAX_FILES} data files.", remedy="Point at fewer files.")
    distinct = {path: name for name, path in files}
    tables = [(name, path) for path, name in distinct.items() if path.suffix.lower() in TABLE_FORMATS]
    documents = [(name, path) for path, name in distinct.items() if path.suffix.lower() not in TABLE_FORMATS]
    table_names = _unique([_identifier(path.stem) for _, path in tables], lambda name, n: f"{name}_{n}")
    document_names = _unique([_document_name(name) for name, _ in documents], lambda name, n: f"{name} ({n})")
    return DataSources(
        tables=tuple(
            TableFile(name=name, path=path, format=TABLE_FORMATS[path.suffix.lower()])
            for name, (_, path) in zip(table_names, tables, strict=True)
        ),
        documents=tuple(
            DocumentFile(name=name, path=path)
            for name, (_, path) in zip(document_names, documents, strict=True)
        ),
        skipped=tuple(skipped),
        samples=samples,
    )


def _document_name(name: str) -> str:
    """Keep a path printable; file names may hold any byte."""
    return re.sub(r"[^\w .,()/+-]", "_", name.encode("utf-8", "replace").decode().removeprefix("documents/"))


def _identifier(stem: str) -> str:
    name = re.sub(r"\W+", "_", stem.encode("utf-8", "replace").decode().lower()).strip("_") or "table"
    return name if name[0].isalpha() else f"t_{name}"


def _unique(names: Sequence[str], numbered: Callable[[str, int], str]) -> list[str]:
    taken: set[str] = set()
    ordered: list[str] = []
    for name in names:
        candidate, count = name, 1
        while candidate in taken:
            count += 1
            candidate = numbered(name, count)
        taken.add(candidate)
        ordered.append(candidate)
    return ordered
