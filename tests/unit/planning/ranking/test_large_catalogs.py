"""Catalogs of thousands of tools: indexed once, kept on disk, compared in full only with what is near."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from learned_world import TOOLS, allowing, asking, catalog, tool
from numpy.typing import NDArray

from planwarden.contracts.specs import AgentSpec, JsonSchema
from planwarden.errors import DataRejected
from planwarden.planning.prior import PriorRequest
from planwarden.planning.ranking.encoder import WIDTH, SentenceEncoder
from planwarden.planning.ranking.heard import hear
from planwarden.planning.ranking.kept import WORTH_KEEPING, KeptEmbeddings
from planwarden.planning.ranking.learned_prior import LearnedPrior
from planwarden.planning.ranking.lexicon import Lexicon
from planwarden.planning.ranking.tool_index import MAX_COMPARED, ToolIndex, embedded_text
from planwarden.planning.ranking.weights import RankerWeights

pytestmark = pytest.mark.requirement("RANK-5")

MANY = 5_000
FILLER = tuple(
    tool(f"unit{n % 97}.job{n}", f"Runs batch {n} of line {n % 13} in unit {n % 97}", "value")
    for n in range(MANY - len(TOOLS))
)
EVERY = (*FILLER[:2_000], *TOOLS, *FILLER[2_000:])
AGENT = AgentSpec(name="every_agent", description="All of it", tools=tuple(each.name for each in EVERY))
GENERAL = AgentSpec(name="general_agent", description="Anything", may_answer_without_tools=True)
LARGE = catalog(EVERY, (AGENT, GENERAL))
FEWER = AGENT.model_copy(update={"tools": tuple(each.name for each in FILLER[:WORTH_KEEPING])})
MIDDLE = catalog(FILLER[:WORTH_KEEPING], (FEWER, GENERAL))
SOME = [f"Text number {n}" for n in range(WORTH_KEEPING)]


def directions(count: int) -> NDArray[np.float32]:
    """Give embeddings in any directions: they stand for tools that have nothing to do with a request."""
    found = np.random.default_rng(3).normal(size=(count, WIDTH)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


class Counting(SentenceEncoder):
    """Notes the texts that it really embeds."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def _fresh(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.made += texts
        return super()._fresh(texts)


def knowing_the_filler() -> Counting:
    encoder = Counting()
    encoder.keep([embedded_text(each) for each in FILLER], directions(len(FILLER)))
    return encoder


@pytest.fixture(scope="module")
def source(weights: RankerWeights) -> LearnedPrior:
    made = LearnedPrior(weights=weights, encoder=knowing_the_filler())
    made.prepare(LARGE)
    return made


@pytest.mark.parametrize("name", ["weather.forecast", "hotels.book", "photos.search"])
def test_of_thousands_the_one_that_is_meant_comes_first(source: LearnedPrior, name: str) -> None:
    for policy in (allowing(every_agent="*"), allowing(every_agent="[!u]*"), allowing(every_agent=name)):
        said = source.prior(PriorRequest(text=f"{asking(name, 0)}?", catalog=LARGE, policy=policy))
        assert said.tools[0].name == name
    assert len(said.tools) == 1


def test_at_most_so_many_are_compared_and_those_that_are_meant_are_among_them(weights: RankerWeights) -> None:
    encoder = knowing_the_filler()
    index = ToolIndex.build((*FILLER[:300], *TOOLS, *FILLER[300:600]), encoder, weights.lexicon)
    asked = "Will it rain in Oslo, book a room there, and then find a photograph of the town"
    near = index.nearest(hear(asked, encoder, weights.lexicon))
    assert len(near) == MAX_COMPARED
    assert near == sorted(set(near))
    assert {"weather.forecast", "hotels.book", "photos.search"} <= {index.names[row] for row in near}


def test_a_small_catalog_is_compared_whole(weights: RankerWeights, encoder: SentenceEncoder) -> None:
    index = ToolIndex.build(TOOLS, encoder, weights.lexicon)
    heard = hear("Anything", encoder, weights.lexicon)
    assert index.nearest(heard) == list(range(len(TOOLS)))
    assert index.only(range(len(TOOLS))) is index
    turned = index.only([3, 1])
    assert turned.names == (TOOLS[3].name, TOOLS[1].name)
    assert (turned.embeddings == index.embeddings[[3, 1]]).all()
    assert (turned.counts == index.counts[[3, 1]]).all()
    assert turned.name_letters.row(0).places.tolist() == index.name_letters.row(3).places.tolist()


def test_a_prepared_index_is_used_again_and_no_tool_is_embedded_twice(weights: RankerWeights) -> None:
    encoder = Counting()
    prepared = LearnedPrior(weights=weights, encoder=encoder)
    prepared.prepare(catalog())
    assert sorted(encoder.made) == sorted(embedded_text(each) for each in TOOLS)
    encoder.made.clear()
    for text in ("Will it rain?", "Is it warm?"):
        prepared.prior(PriorRequest(text=text, catalog=catalog(), policy=allowing(travel_agent="*")))
    assert not {embedded_text(each) for each in TOOLS} & set(encoder.made)


def test_an_index_is_not_even_asked_for_again(
    weights: RankerWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[int] = []
    real = ToolIndex.build

    def counted(tools: Sequence[object], encoder: SentenceEncoder, lexicon: Lexicon) -> ToolIndex:
        built.append(len(tools))
        return real(TOOLS, encoder, lexicon)

    monkeypatch.setattr(ToolIndex, "build", staticmethod(counted))
    source = LearnedPrior(weights=weights)
    own = catalog()
    source.prepare(own)
    for _ in range(2):
        source.prior(PriorRequest(text="Will it rain?", catalog=own, policy=allowing(travel_agent="*")))
    assert built == [len(TOOLS)]
    source.close()
    source.prepare(own)
    assert len(built) == 2


def test_embeddings_are_read_back_from_disk(tmp_path: Path) -> None:
    kept, first = KeptEmbeddings(tmp_path / "index"), Counting()
    kept.prepare(SOME, first)
    assert first.made == SOME
    second = Counting()
    kept.prepare(SOME, second)
    assert (second.encode(SOME) == first.encode(SOME)).all()
    assert second.made == []
    kept.prepare([*SOME, "One more"], second)
    assert second.made == ["One more"]
    assert len(list((tmp_path / "index").iterdir())) == 2


def test_a_learned_prior_keeps_the_index_of_a_large_catalog(weights: RankerWeights, tmp_path: Path) -> None:
    for encoder in (knowing_the_filler(), Counting()):
        LearnedPrior(weights=weights, encoder=encoder, kept=KeptEmbeddings(tmp_path)).prepare(MIDDLE)
        made = len(encoder.made)
    assert made == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_a_few_texts_are_not_worth_a_file(tmp_path: Path) -> None:
    KeptEmbeddings(tmp_path / "index").prepare(SOME[1:], SentenceEncoder())
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 half", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    kept, encoder = KeptEmbeddings(tmp_path), SentenceEncoder()
    encoder.keep(SOME, directions(len(SOME)))
    kept.prepare(SOME, encoder)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for spoilt in (content, whole[:-100]):
        path.write_bytes(spoilt)
        kept.prepare(SOME, encoder)
        assert path.read_bytes() == whole


def test_a_file_of_other_shape_is_made_anew(tmp_path: Path) -> None:
    kept, encoder = KeptEmbeddings(tmp_path), SentenceEncoder()
    encoder.keep(SOME, directions(len(SOME)))
    kept.prepare(SOME, encoder)
    (path,) = tmp_path.iterdir()
    for wrong in (directions(len(SOME))[:-1], directions(len(SOME)).astype(np.float64)):
        np.save(path, wrong)
        kept.prepare(SOME, encoder)
        assert np.load(path).dtype == np.float32
        assert np.load(path).shape == (len(SOME), WIDTH)


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    encoder = SentenceEncoder()
    encoder.keep(SOME, directions(len(SOME)))
    with pytest.raises(DataRejected, match="cannot be kept") as told:
        KeptEmbeddings(blocked / "index").prepare(SOME, encoder)
    assert "PLANWARDEN_HOME" in told.value.remedy
    with pytest.raises(DataRejected, match="cannot be kept"):
        KeptEmbeddings(blocked).prepare(SOME, encoder)


def test_the_text_that_a_tool_is_embedded_by_is_its_name_in_words_and_what_it_says() -> None:
    plain = tool("getWeather_now", "d" * 900, "city")
    assert embedded_text(plain) == f"get weather now: {'d' * 300}"


def test_an_index_reads_any_schema(weights: RankerWeights, encoder: SentenceEncoder) -> None:
    base = TOOLS[0]
    schemas: tuple[JsonSchema, ...] = (
        {"type": "object"},
        {"properties": {"x": True}, "required": "x"},
        {"properties": {"x": {"description": 3}}, "required": ["x"]},
        {"properties": []},
    )
    odd = [base.model_copy(update={"parameters": schema}) for schema in schemas]
    index = ToolIndex.build(odd, encoder, weights.lexicon)
    assert index.counts[:, :2].tolist() == [[0, 0], [0, 1], [1, 1], [0, 0]]
    assert replace(index, names=("a", "b", "c", "d")).only([1]).names == ("b",)
