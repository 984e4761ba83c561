"""When two tasks are the same: `repeat_key(task)`. Pure."""

from __future__ import annotations

import unicodedata

from planwarden.contracts.task import Task
from planwarden.contracts.value import digest


def normalised(request: str) -> str:
    """Give a request as repeats are compared: Unicode NFC, white space collapsed. Case counts."""
    return " ".join(unicodedata.normalize("NFC", request).split())


def repeat_key(task: Task) -> str | None:
    """Name everything that a task's plan may rest on beside catalog and policy: request, metadata, data.

    None where there are earlier exchanges: what is asked may lean on them, so that the same words are not
    the same task.
    """
    if task.exchanges or task.turns_left_out:
        return None
    return digest({"request": normalised(task.prompt), "metadata": task.metadata, "data": list(task.data)})
