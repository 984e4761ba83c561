"""The spool: finished spans on disk until a receiver has them, so that an outage loses none.

Spans are written some at a time, soon after they ended, with one `write` and no `fsync`: what was written
survives the process, not the machine.
The first line of a file says where its spans are from, each other line is the row of one, as JSON.
Files of processes that died are taken over by the next one, which a lock tells apart from those of live ones.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path

from pydantic_core import to_json

from planwarden.telemetry.readable import Finished, Origin, origin_line, plain, read_finished
from planwarden.telemetry.span import SpanRow

try:
    import fcntl
except ImportError:  # no such locks on this system: what a crash left there stays where it is
    fcntl = None

SEGMENT_BYTES = 2**20
"""A file that has grown past this gets a successor."""
MOST_BYTES = 32 * 2**20
"""Of all files together; past it a span is kept in memory only, and counted."""
MOST_TAKEN_OVER = 2048
"""Spans that are taken over at a time; the rest waits for the next start."""
SUFFIX = ".spans.jsonl"


_SIZE = attrgetter("size")


class Segment:
    """One file, under a lock, with the spans in it that no receiver has yet."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle = handle
        self.waiting: set[str] = set()
        """Their span ids."""
        self.size = os.fstat(handle).st_size

    @classmethod
    def open(cls, path: Path, *, make: bool) -> Segment | None:
        """Open a file for itself; None where another process has it, or where it is gone.

        Raises:
            OSError: it cannot be opened.
        """
        handle = os.open(path, os.O_RDWR | os.O_APPEND | (os.O_CREAT if make else 0), 0o600)
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return None
        return cls(path, handle)

    def add(self, span_ids: Iterable[str], lines: bytes) -> None:
        """Put spans on disk.

        Raises:
            OSError: not all of it could be written; nothing of it is there.
        """
        if os.write(self._handle, lines) < len(lines):
            os.ftruncate(self._handle, self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += len(lines)
        self.waiting.update(span_ids)

    def spans(self) -> list[Finished]:
        """Read what is in it, and wait for all of it."""
        with self.path.open("rb") as file:
            found = read_finished(file)
        self.waiting = {span.row.span_id for span in found}
        return found

    def empty(self) -> None:
        """Drop what is in it; all of it was received."""
        os.ftruncate(self._handle, 0)
        self.size = 0

    def close(self) -> None:
        """Let go of the file; one in which nothing waits goes."""
        if not self.waiting:
            self.path.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Let go of the file as it is; the lock stays with whoever else holds it open, as after a fork."""
        os.close(self._handle)


class Spool:
    """The files of one process."""

    def __init__(self, folder: Path, name: str, origin: Origin) -> None:
        """Take the folder, which is made when needed, a name that no other process has, and who we are."""
        self._folder = folder
        self._name = name
        self._first = origin_line(origin)
        self._turn = threading.Lock()
        self._segments: list[Segment] = []
        self._last: Segment | None = None
        """The one of them that is written to."""
        self._made = 0
        self._elsewhere = 0
        self.not_kept = 0
        """Spans that were kept in memory only: the spool was full, or could not be written."""

    def take_over(self) -> list[Finished]:
        """Take over what dead processes left; give its spans, which have to be sent again."""
        found: list[Finished] = []
        paths = sorted(self._folder.glob(f"*{SUFFIX}")) if self._folder.is_dir() else []
        for path in paths:
            try:
                segment = Segment.open(path, make=False) if len(found) < MOST_TAKEN_OVER and fcntl else None
                self._elsewhere += 0 if segment else path.stat().st_size
            except OSError:
                continue
            if segment is None:
                continue
            spans = segment.spans()
            found += spans
            if spans:
                self._segments.append(segment)
            else:
                segment.close()
        return found

    def add(self, rows: Sequence[SpanRow]) -> None:
        """Keep finished spans."""
        written: dict[str, bytes] = {}
        for row in rows:
            try:
                written[row.span_id] = line_of(row)
            except Exception:  # noqa: BLE001 - what cannot be written all the same costs this span only
                self.not_kept += 1
        lines = b"".join(written.values())
        with self._turn:
            try:
                segment = self._current(len(lines))
                segment.add(written, lines if segment.size else self._first + lines)
            except OSError:
                self.not_kept += len(written)

    def received(self, spans: Iterable[Finished]) -> None:
        """Forget spans that a receiver has."""
        have = {span.row.span_id for span in spans}
        with self._turn:
            for segment in list(self._segments):
                segment.waiting -= have
                if segment.waiting:
                    continue
                if segment is self._last:
                    segment.empty()
                else:
                    self._segments.remove(segment)
                    segment.close()

    def forked(self) -> None:
        """Begin anew in a child: the files are its parent's, which has sent and drops what is in them."""
        self._turn = threading.Lock()  # a thread that was left behind may have had its turn
        self._elsewhere += sum(map(_SIZE, self._segments))
        for segment in self._segments:
            segment.leave()
        self._segments.clear()
        self._last, self._made = None, 0
        self._name = f"{self._name}-{os.getpid()}"

    def close(self) -> None:
        """Let go of all files; those in which spans wait stay for the next process."""
        with self._turn:
            for segment in self._segments:
                segment.close()
            self._segments.clear()
            self._last = None

    def _current(self, more: int) -> Segment:
        """Give the file to write to.

        Raises:
            OSError: there is none, or the spool is full.
        """
        if self._elsewhere + sum(map(_SIZE, self._segments)) + more > MOST_BYTES:
            msg = "the spool is full"
            raise OSError(msg)
        if self._last is None or self._last.size > SEGMENT_BYTES:
            self._folder.mkdir(parents=True, exist_ok=True)
            segment = Segment.open(self._fresh(), make=True)
            if segment is None:
                msg = "the spool's file is locked"
                raise OSError(msg)
            self._segments.append(segment)
            self._last = segment
        return self._last

    def _fresh(self) -> Path:
        """Name a file that is not there: a child that died may have had the number of this one."""
        while True:
            self._made += 1
            path = self._folder / f"{self._name}-{self._made:04d}{SUFFIX}"
            if not path.exists():
                return path


def line_of(row: SpanRow) -> bytes:
    """Write a row as one line."""
    try:
        return to_json(tuple(row)) + b"\n"
    except Exception:  # noqa: BLE001 - half a surrogate pair, or whatever a program put in does as it is written
        return json.dumps(plain(row)).encode() + b"\n"
