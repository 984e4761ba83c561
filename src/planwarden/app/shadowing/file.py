"""The file of live shadow plans: a JSON object a line, appended only; names, figures, digests, no text."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from planwarden.contracts.shadow import ShadowRecord
from planwarden.errors import StoreUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowLines:
    """What the file holds."""

    records: tuple[ShadowRecord, ...]
    """The newest of each run, in the order in which the runs were chosen."""
    damaged: int = 0
    """Lines that are none."""

    @property
    def due(self) -> tuple[ShadowRecord, ...]:
        """Give those that are chosen and not planned yet."""
        return tuple(record for record in self.records if record.state == "due")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFile:
    """Appends to the file, and reads it."""

    path: Path

    async def append(self, record: ShadowRecord) -> None:
        """Add a line in one write, so that processes beside each other do not cut into each other's lines.

        Raises:
            StoreUnavailable: it cannot be written.
        """
        await asyncio.to_thread(self._append, f"{record.model_dump_json()}\n".encode())

    def _append(self, line: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opened = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(opened, line)
            finally:
                os.close(opened)
        except OSError as error:
            raise StoreUnavailable(
                f"The shadow plans at {self.path} cannot be written: {error.strerror}.",
                remedy="Make the folder writable, or set SHADOW__RATE=0.",
            ) from error

    async def read(self) -> ShadowLines:
        """Read all of it; a file that is not there holds nothing.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        return await asyncio.to_thread(self._read)

    def _read(self) -> ShadowLines:
        try:
            with self.path.open("rb") as file:
                return newest(file)
        except FileNotFoundError:
            return ShadowLines(records=())
        except OSError as error:
            raise StoreUnavailable(
                f"The shadow plans at {self.path} cannot be read: {error.strerror}.",
                remedy="Make the file readable, or move it away.",
            ) from error


def newest(lines: Iterable[bytes]) -> ShadowLines:
    """Give the newest record of each run; that it is due does not undo a plan that is there. Pure."""
    found: dict[str, ShadowRecord] = {}
    damaged = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            record = ShadowRecord.model_validate_json(line)
        except ValidationError:
            damaged += 1
            continue
        if record.state != "due" or record.run_id not in found:
            found[record.run_id] = record
    return ShadowLines(records=tuple(found.values()), damaged=damaged)
