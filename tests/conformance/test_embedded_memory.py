"""A memory with embeddings passes the suite too; an embedding is made once, and goes with its plan."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from plan_memory import PlanMemoryConformance, taught

from planwarden.planning.memory.port import PlanMemory
from planwarden.planning.memory.sqlite import SqliteMemory
from planwarden.planning.memory.vectors import EmbeddedMemory, Floats, SqliteVectors


class CountingEmbedder:
    """Embeds a text by the numbers of its letters, and notes what it had to embed."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.given: dict[str, Floats] = {}

    def encode(self, texts: Sequence[str]) -> Floats:
        self.made += texts
        return np.stack([self.vector(text) for text in texts])

    def keep(self, texts: Sequence[str], embeddings: Floats) -> None:
        self.given |= dict(zip(texts, embeddings, strict=True))

    @staticmethod
    def vector(text: str) -> Floats:
        return np.array([text.count(letter) / 7 for letter in "abcdefghij"], np.float32)


def opened(folder: Path, form: str = "letters-1") -> tuple[EmbeddedMemory, CountingEmbedder]:
    path, embedder = folder / "memory.db", CountingEmbedder()
    return EmbeddedMemory(SqliteMemory(path), SqliteVectors(path, form), embedder), embedder


class TestEmbeddedMemory(PlanMemoryConformance):
    @asynccontextmanager
    async def open_memory(self, folder: Path) -> AsyncGenerator[PlanMemory, None]:
        yield opened(folder)[0]


@pytest.mark.anyio
@pytest.mark.requirement("MEM-11")
async def test_a_request_is_embedded_once_whatever_process_recalls_it(tmp_path: Path) -> None:
    memory, embedder = opened(tmp_path)
    await memory.remember(taught("m1", request="a bad cab"))
    await memory.remember(taught("m2", conversation="c1", request="a deed"))
    await memory.recall("default", "c1")
    assert embedder.made == ["a bad cab", "a deed"]
    other, later = opened(tmp_path)
    await other.recall("default", None)
    await other.recall("default", "c1")
    assert later.made == []
    assert {text: row.tolist() for text, row in later.given.items()} == {
        text: embedder.vector(text).tolist() for text in ("a bad cab", "a deed")
    }


@pytest.mark.anyio
@pytest.mark.requirement("MEM-11")
async def test_what_was_kept_without_an_embedding_or_in_another_form_gets_one(tmp_path: Path) -> None:
    await SqliteMemory(tmp_path / "memory.db").remember(taught("m1", request="a bad cab"))
    for form, made in (("letters-1", ["a bad cab"]), ("letters-1", []), ("letters-2", ["a bad cab"])):
        memory, embedder = opened(tmp_path, form)
        await memory.recall("default", None)
        assert embedder.made == made


@pytest.mark.anyio
@pytest.mark.requirement("MEM-11")
@pytest.mark.parametrize("way", ["id", "run", "all", "rebuild"])
async def test_the_embedding_goes_with_its_plan_whoever_deletes_it(way: str, tmp_path: Path) -> None:
    memory, embedder = opened(tmp_path)
    await memory.remember(taught("m1", request="a bad cab"))
    row = embedder.vector("a bad cab").tobytes()
    assert row in everything_in(tmp_path)
    plain, late = SqliteMemory(tmp_path / "memory.db"), datetime(2027, 1, 1, tzinfo=UTC)
    match way:
        case "id":
            await plain.forget("default", ["m1"])
        case "run":
            await plain.forget_run("default", "run-m1")
        case "all":
            await plain.forget_all("default", at=late)
        case _:
            await plain.rebuild([], begun=late)
    assert row not in everything_in(tmp_path)
    SqliteVectors(tmp_path / "memory.db", "letters-1").write("default", {"m1": embedder.vector("a bad cab")})
    assert row not in everything_in(tmp_path)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
