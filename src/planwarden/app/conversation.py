"""The earlier turns of a task's conversation, as its own tenant's journal has them."""

from __future__ import annotations

from planwarden.contracts.conversation import Turn, turn_of
from planwarden.contracts.fold import fold
from planwarden.contracts.run import RunState
from planwarden.contracts.task import Task
from planwarden.errors import RunErased, StoreCorrupt
from planwarden.journal.port import Journal, RunHead

MAX_TURNS = 64
"""How many of the newest runs of a conversation are read; older ones are counted as left out."""
BYTES_PER_TOKEN = 8
"""No text has more: what is longer than a context of so many bytes to the token could never be told."""
MAX_RUNS_COUNTED = 10_000


async def with_earlier_turns(task: Task, journal: Journal, *, context_tokens: int) -> Task:
    """Give the task with what was said before in its conversation, as much as a context could ever hold.

    Only runs of the same tenant that are over count. A damaged one is passed over, and so is one that came in
    a bundle: what somebody else's file says is there to be read, not to speak into a conversation here.

    Args:
        task: one that brings its own exchanges is given back as it is.
        journal: where the runs are.
        context_tokens: of the larger of the two models.
    """
    if task.conversation is None or task.exchanges:
        return task
    heads = await journal.heads(tenant=task.tenant, conversation=task.conversation, limit=MAX_RUNS_COUNTED)
    found: list[Turn] = []
    room = context_tokens * BYTES_PER_TOKEN
    left_out = len(heads[MAX_TURNS:])
    for place, head in enumerate(heads[:MAX_TURNS]):
        turn = await _turn(journal, head, task)
        if not turn:
            continue
        room -= sum(len(said.content.encode("utf-8", "replace")) for said in turn)
        if room < 0 and found:
            left_out += len(heads[:MAX_TURNS]) - place
            break
        found.append(turn)
    exchanges = tuple(said for turn in reversed(found) for said in turn)
    return task.model_copy(update={"exchanges": exchanges, "turns_left_out": left_out})


async def _turn(journal: Journal, head: RunHead, task: Task) -> Turn:
    """Give one run as a turn; nothing of one that was imported, is damaged, or belongs elsewhere."""
    if head.origin is not None:
        return ()
    try:
        state: RunState = fold(await journal.read(head.run_id))
    except (StoreCorrupt, RunErased):
        return ()
    said = state.started.task
    same = (said.tenant, said.conversation) == (task.tenant, task.conversation)
    return turn_of(state) if same else ()
