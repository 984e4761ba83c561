"""What tests of the command line share: a mind behind a fake Ollama, what a command said, damage."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.testing.fake_ollama import FakeOllama


@dataclass(slots=True, kw_only=True)
class Mind:
    """What the fake models say, and what they were asked."""

    steps: list[str] = field(default_factory=list[str])
    """The items of its plan, as the notation spells them."""
    arguments: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """For each tool whose parameters these are; the first that fits is said."""
    answer: str = "Here it is."
    calls: list[LLMReply] = field(default_factory=list[LLMReply])
    """What it asks for natively when it is offered tools, one after the other; then it answers."""
    planned: list[str] = field(default_factory=list[str])
    """The last message of each request for a plan."""
    on_answer: Callable[[], None] = lambda: None
    server: FakeOllama | None = None

    def reply(self, request: LLMRequest) -> str | LLMReply:
        """Answer as a model would."""
        if request.tools and self.calls:
            return self.calls.pop(0)
        schema = json.dumps(request.output_schema or {})
        if '"plan"' in schema:
            self.planned.append(request.messages[-1].content)
            return json.dumps({"plan": self.steps, "why": "as it was asked"})
        if request.output_schema:
            known = set(cast("dict[str, Any]", request.output_schema.get("properties") or {}))
            return json.dumps(next(each for each in self.arguments if set(each) <= known))
        self.on_answer()
        return self.answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Read stdout as the one JSON document that it is."""
        return json.loads(self.out)

    def error(self, code: int, kind: str) -> dict[str, str]:
        """Check that it ended in an error with a remedy, said to people too; give what was said."""
        assert self.code == code, self
        assert "Traceback" not in self.err + self.out
        told: dict[str, str] = self.json["error"]
        assert set(told) == {"code", "message", "remedy"}
        assert told["code"] == kind, told
        assert told["message"]
        assert told["remedy"]
        assert kind in self.err or kind == "usage_error"
        return told


Cli = Callable[..., Said]


def plan_file(folder: Path, *steps: dict[str, Any]) -> str:
    """Write a plan as a person would bring it along."""
    path = folder / "plan.json"
    metadata = {"source": "edited", "handoff_strategy": "sequential"}
    path.write_text(json.dumps({"schema_version": 2, "steps": steps, "metadata": metadata, "confidence": 1}))
    return str(path)


def flip_a_payload_byte(home: Path, run_id: str) -> None:
    """Change one byte of a run's first payload, the task: I becomes J."""
    with sqlite3.connect(home / "journal.db") as database:
        where = "WHERE run_id = ? AND seq = 1"
        (body,) = database.execute(f"SELECT body FROM payloads {where}", (run_id,)).fetchone()
        flipped = bytes(body).replace(b"IBM", b"JBM", 1)
        assert flipped != bytes(body)
        database.execute(f"UPDATE payloads SET body = ? {where}", (flipped, run_id))
    database.close()


def spoil_a_payload(home: Path, run_id: str) -> None:
    """Make a run's first payload unreadable."""
    with sqlite3.connect(home / "journal.db") as database:
        database.execute("UPDATE payloads SET body = X'FF00' WHERE run_id = ? AND seq = 1", (run_id,))
    database.close()


def drop_the_last_event(home: Path, run_id: str) -> None:
    """Take a run's last event out of the record."""
    with sqlite3.connect(home / "journal.db") as database:
        (last,) = database.execute("SELECT max(seq) FROM events WHERE run_id = ?", (run_id,)).fetchone()
        for table in ("payloads", "events"):
            database.execute(f"DELETE FROM {table} WHERE run_id = ? AND seq = ?", (run_id, last))
    database.close()
