"""Which process we are, and whether another one is dead: the one place that reads the machine's identity."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from planwarden.journal.port import Owner

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def this_process(id: str) -> Owner:  # noqa: A002 - the field's own name
    """Describe this process as an owner of leases; `id` has to be unique per process start."""
    return Owner(id=id, host=this_host(), pid=os.getpid())


def this_host() -> str:
    """Name the machine, its boot and its process-id namespace, as far as the system tells them."""
    return f"{socket.gethostname()}/{_boot()}/{_namespace()}"


def is_dead(owner: Owner, here: Owner) -> bool:
    """Tell whether a process has certainly ended.

    False whenever that cannot be known: on another host, for another user's process, and when its process id
    has been given to a new process. Its lease then simply runs out.
    """
    if owner.host != here.host or owner.pid <= 0 or os.name != "posix":
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return "boot"


def _namespace() -> str:
    try:
        return str(_NAMESPACE.stat().st_ino)
    except OSError:
        return "pids"
