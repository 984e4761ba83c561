"""`enterprise.playbook`: the organisation's own playbooks, runbooks and policies, step by step."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Contract
from planwarden.errors import ToolFailed
from planwarden.tools.data_sources import DataSources
from planwarden.tools.domains.corpus import words
from planwarden.tools.domains.full_text import match_expression
from planwarden.tools.domains.playbook_files import Playbook, read_playbooks
from planwarden.tools.function import FunctionTool, tool

MAX_TEXT_CHARS = 4_000
MAX_TOPICS = 400
_OTHERS = 3
_SHOWN = 6
"""Playbooks that are examples by their titles."""
_WEIGHTS = "6.0, 4.0, 1.0"
"""A word in the title says more than one among the tags, and that more than one in a step."""


class PlaybookStep(Contract):
    """One step; `line` is its line in the document."""

    number: int
    section: str
    text: str
    line: int


class PlaybookFound(Contract):
    """The playbook that fits best; `others` are the titles of the next best."""

    text: str
    title: str
    owner: str | None
    tags: tuple[str, ...]
    steps: tuple[PlaybookStep, ...]
    document: str
    line: int
    others: tuple[str, ...]


def playbook_tools(sources: DataSources) -> tuple[FunctionTool, ...]:
    """Make the playbook tool; none when no document is a playbook.

    Raises:
        DataRejected: a playbook cannot be read.
    """
    playbooks = read_playbooks(sources.documents)
    return (_playbook_tool(playbooks),) if playbooks else ()


def _playbook_tool(playbooks: Sequence[Playbook]) -> FunctionTool:
    index = _build_index(playbooks)
    lock = threading.Lock()
    by_title = {one.title.strip().casefold(): at for at, one in reversed(list(enumerate(playbooks)))}

    @tool(
        name="enterprise.playbook",
        effect="read",
        description="Look up a playbook, runbook or policy of the user's organisation and give its steps in"
        f" order. Playbooks: {_listed(playbooks)}.",
        alternatives=("research.search",),
        topics=_topics(playbooks),
        examples=(
            *(_looked_up(one) for one in playbooks[:_SHOWN]),
            "Walk me through our company's procedure for this",
            "Which steps does the runbook say, and who owns it?",
        ),
    )
    def playbook(
        topic: Annotated[str, Field(description="What the playbook is about", min_length=1, max_length=500)],
    ) -> PlaybookFound:
        exact = by_title.get(topic.strip().casefold())
        with lock:
            found = _found(index, topic)
        ranked = found if exact is None else [exact, *(at for at in found if at != exact)]
        if not ranked:
            raise ToolFailed(
                f"no playbook speaks of '{topic[:100]}'.", remedy=f"Playbooks: {_listed(playbooks)}."
            )
        best = playbooks[ranked[0]]
        return PlaybookFound(
            text=_stated(best),
            title=best.title,
            owner=best.owner,
            tags=best.tags,
            steps=tuple(
                PlaybookStep(number=one.number, section=one.section, text=one.text, line=one.line)
                for one in best.steps
            ),
            document=best.document,
            line=best.line,
            others=tuple(playbooks[at].title for at in ranked[1 : 1 + _OTHERS]),
        )

    return playbook


def _looked_up(playbook: Playbook) -> ToolExample:
    return ToolExample(
        request=f"How do we do this: {playbook.title}?",
        arguments={"topic": playbook.title},
        returns={"title": playbook.title, "steps": [{"number": 1}], "text": "1. "},
    )


def _build_index(playbooks: Sequence[Playbook]) -> sqlite3.Connection:
    index = sqlite3.connect(":memory:", check_same_thread=False)
    index.execute(
        "CREATE VIRTUAL TABLE playbooks USING fts5(title, tags, steps,"
        " tokenize = 'porter unicode61 remove_diacritics 2')"
    )
    rows = [
        (at, one.title, " ".join(one.tags), " ".join(f"{step.section} {step.text}" for step in one.steps))
        for at, one in enumerate(playbooks)
    ]
    index.executemany("INSERT INTO playbooks (rowid, title, tags, steps) VALUES (?, ?, ?, ?)", rows)
    index.commit()
    return index


def _found(index: sqlite3.Connection, topic: str) -> list[int]:
    """Give the places of the playbooks that hold a word of the topic, best first."""
    expression = match_expression(topic)
    if not expression:
        return []
    rank = f"bm25(playbooks, {_WEIGHTS})"
    sql = f"SELECT rowid FROM playbooks WHERE playbooks MATCH ? ORDER BY {rank}, rowid"  # noqa: S608 - our own SQL
    return [int(row[0]) for row in index.execute(sql, (expression,))]


def _stated(playbook: Playbook) -> str:
    owner = f"; owner: {playbook.owner}" if playbook.owner else ""
    lines = [f"{playbook.title} ({playbook.document}, line {playbook.line}{owner})"]
    section, length = "", len(lines[0])
    for step in playbook.steps:
        if step.section != section:
            section = step.section
            lines.append(f"{section}:")
        lines.append(f"{step.number}. {step.text}")
        length += len(lines[-1])
        if length > MAX_TEXT_CHARS:
            lines.append(f"… ({len(playbook.steps)} steps in all)")
            break
    return "\n".join(lines)


def _topics(playbooks: Sequence[Playbook]) -> tuple[str, ...]:
    """Give the words that the playbooks speak of, those of titles and tags first."""
    names = [word for one in playbooks for word in words(f"{one.title} {' '.join(one.tags)}")]
    said = Counter(
        word
        for one in playbooks
        for step in one.steps
        for word in words(f"{step.section} {step.text}")
        if len(word) > 3
    )
    return tuple(dict.fromkeys([*names, *(word for word, _ in said.most_common())]))[:MAX_TOPICS]


def _listed(playbooks: Sequence[Playbook]) -> str:
    names = [one.title[:60] for one in playbooks[:12]]
    more = len(playbooks) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
