"""The machine's memory and disk, as the system tells them."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineMemory:
    """In bytes."""

    total: int
    available: int
    """What programs can still take without swapping."""


def machine_memory(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> MachineMemory | None:
    """Read the machine's memory, or what a container leaves of it; None where the system does not say."""
    if sys.platform == "darwin":
        return _mac_memory()
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text("ascii").splitlines())
        total, available = (int(lines[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError, IndexError):
        return None
    limit, used = _whole(cgroup / "memory.max"), _whole(cgroup / "memory.current")
    if limit is not None and limit < total:
        reclaimable = _statistic(cgroup / "memory.stat", "inactive_file")
        left = max(0, limit - (used or 0) + reclaimable)
        return MachineMemory(total=limit, available=min(available, left))
    return MachineMemory(total=total, available=available)


def _mac_memory() -> MachineMemory | None:
    """Ask macOS; what is available is not told in one number there, so the total stands for it."""
    library = ctypes.util.find_library("c")
    size, length = ctypes.c_uint64(0), ctypes.c_size_t(8)
    if library is None:
        return None
    ask = ctypes.CDLL(library).sysctlbyname
    if ask(b"hw.memsize", ctypes.byref(size), ctypes.byref(length), None, ctypes.c_size_t(0)) != 0:
        return None
    return MachineMemory(total=size.value, available=size.value)


def _whole(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None  # no container, or one without a limit ("max")


def _statistic(path: Path, name: str) -> int:
    try:
        lines = dict(line.split() for line in path.read_text("ascii").splitlines())
        return int(lines[name])
    except (OSError, ValueError, KeyError):
        return 0


def nearest_folder(path: Path) -> Path:
    """Give the folder itself, or the nearest one above it that exists."""
    return next(each for each in (path, *path.absolute().parents) if _is_folder(each))


def path_is_taken(folder: Path) -> bool:
    """Say whether something that is no folder stands in the way of one."""
    places = (folder, *folder.absolute().parents)
    return any(_is_there(each) and not _is_folder(each) for each in places)


def _is_folder(path: Path) -> bool:
    """Say so for a folder; what may not even be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def write_fault(folder: Path) -> str | None:
    """Write a file where the folder is or would be made, and remove it; says why that fails. Blocks."""
    if path_is_taken(folder):
        return "it is not a folder"
    try:
        with tempfile.NamedTemporaryFile(dir=nearest_folder(folder), prefix=".planwarden-doctor-") as file:
            file.write(b"probe")
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return None


def flush_seconds(folder: Path, monotonic: Callable[[], float], times: int = 5) -> float:
    """Measure how long 4 KiB take to be on disk, in seconds, the median of some tries. Blocks.

    Raises:
        OSError: nothing can be written there.
    """
    took: list[float] = []
    with tempfile.NamedTemporaryFile(dir=nearest_folder(folder), prefix=".planwarden-doctor-") as file:
        for _ in range(times):
            started = monotonic()
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took.append(monotonic() - started)
    return sorted(took)[len(took) // 2]
