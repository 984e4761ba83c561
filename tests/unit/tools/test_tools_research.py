"""Research tools: passages found, documents summarised, any bytes survived."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from fitting import output_problems
from hypothesis import given
from hypothesis import strategies as st

from planwarden.contracts.value import Json
from planwarden.errors import DataRejected, ToolFailed
from planwarden.tools.data_sources import SAMPLES, open_sources
from planwarden.tools.domains.corpus import sentences
from planwarden.tools.domains.research import research_tools
from planwarden.tools.domains.textrank import summary_sentences
from planwarden.tools.tool import Tool, ToolContext

pytestmark = [pytest.mark.requirement("TOOL-6"), pytest.mark.anyio]


def research_over(folder: Path) -> dict[str, Tool]:
    return {tool.spec.name: tool for tool in research_tools(open_sources([folder], folder=folder))}


async def call(tool: Tool, context: ToolContext, **arguments: Json) -> dict[str, Any]:
    value = await tool.invoke(arguments, context)
    assert output_problems(tool.spec, value) == ()
    return cast("dict[str, Any]", value)


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("when may a fallback run?", "fallback-tools.md"),
        ("How is adherence computed", "deviations-and-adherence.md"),
        ("calls in doubt after a crash", "idempotency-keys.md"),
        ("stale epoch append refused", "leases-and-epochs.md"),
        ("token probabilities calibrated", "confidence.md"),
    ],
)
async def test_a_question_finds_the_document_that_answers_it(
    sample_tools: Mapping[str, Tool], context: ToolContext, query: str, document: str
) -> None:
    value = await call(sample_tools["research.search"], context, query=query, limit=3)
    assert value["hits"][0]["document"] == document
    assert value["text"].startswith(f"[{document}")
    scores = [hit["score"] for hit in value["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) <= 3


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "plan*",
        "a AND NOT (b",
        "NEAR(plan policy)",
        "heading:x",
        "'; DROP TABLE passages; --plan",
        "plan\x00",
    ],
)
async def test_any_character_is_safe_in_a_query(
    sample_tools: Mapping[str, Tool], context: ToolContext, query: str
) -> None:
    if "plan" in query:
        assert (await call(sample_tools["research.search"], context, query=query))["hits"]
    else:
        with pytest.raises(ToolFailed, match=r"no words|nothing found"):
            await sample_tools["research.search"].invoke({"query": query}, context)


async def test_nothing_found_is_a_failure(sample_tools: Mapping[str, Tool], context: ToolContext) -> None:
    with pytest.raises(ToolFailed, match="nothing found for 'zebra crossing'"):
        await sample_tools["research.search"].invoke({"query": "zebra crossing"}, context)
    with pytest.raises(ToolFailed, match="no words"):
        await sample_tools["research.search"].invoke({"query": "?!"}, context)


async def test_documents_of_every_format_and_encoding_are_read(tmp_path: Path, context: ToolContext) -> None:
    (tmp_path / "page.html").write_text(
        "<html><head><title>Refunds</title><style>p{color:red}</style></head><body><h2>Terms</h2>"
        "<p>Money is returned within <b>14 days</b>.</p><script>evil()</script></body></html>"
    )
    (tmp_path / "latin.txt").write_bytes("Das Café schließt um zehn.".encode("latin-1"))
    (tmp_path / "wide.txt").write_bytes("Wide letters everywhere.".encode("utf-16"))
    (tmp_path / "guide.rst").write_text("Setup\n=====\n\nInstall the *package* first.\n")
    search = research_over(tmp_path)["research.search"]
    hit = (await call(search, context, query="return money"))["hits"][0]
    assert (hit["document"], hit["heading"]) == ("page.html", "Terms")
    assert hit["passage"] == "Money is returned within 14 days."
    for query, document in (("cafe", "latin.txt"), ("letters", "wide.txt"), ("installing", "guide.rst")):
        assert (await call(search, context, query=query))["hits"][0]["document"] == document
    assert (await call(search, context, query="install"))["hits"][0]["heading"] == "Setup"
    for query in ("evil", "color"):
        with pytest.raises(ToolFailed, match="nothing found"):
            await search.invoke({"query": query}, context)


def test_a_binary_document_is_refused_and_empty_ones_give_no_tools(tmp_path: Path) -> None:
    (tmp_path / "blank.md").write_text("\n\n")
    assert research_over(tmp_path) == {}
    (tmp_path / "binary.txt").write_bytes(b"\x00\x01")
    with pytest.raises(DataRejected, match=r"binary\.txt' is not text"):
        research_over(tmp_path)


async def test_a_summary_is_word_for_word_and_in_order(
    sample_tools: Mapping[str, Tool], context: ToolContext
) -> None:
    value = await call(sample_tools["research.summarizer"], context, document="dossier.md", sentences=2)
    assert len(value["sentences"]) == 2
    assert value["text"] == f"dossier.md: {' '.join(value['sentences'])}"
    source = " ".join((SAMPLES / "documents/dossier.md").read_text().replace("`", "").split())
    places = [source.index(sentence) for sentence in value["sentences"]]
    assert places == sorted(places)


async def test_an_unknown_document_is_a_failure_with_the_known_ones(
    sample_tools: Mapping[str, Tool], context: ToolContext
) -> None:
    with pytest.raises(ToolFailed, match=r"no document 'absent'.*confidence\.md"):
        await sample_tools["research.summarizer"].invoke({"document": "absent"}, context)


def test_the_central_sentence_wins_over_the_odd_one_out() -> None:
    text = [
        "The journal records every event of the run.",
        "Every event of the run is kept in the journal.",
        "Bananas are yellow fruit from warm places.",
        "Each run writes events into its journal.",
    ]
    chosen, read = summary_sentences(text, 2)
    assert read == 4
    assert text[2] not in chosen


def test_sentences_keep_abbreviations_and_split_wide_stops() -> None:
    assert sentences("Dr. Who came. He left, e.g. Monday. Why?") == [
        "Dr. Who came.",
        "He left, e.g. Monday.",
        "Why?",
    ]
    assert sentences("今日は。元気？") == ["今日は。", "元気？"]


@given(st.lists(st.text(max_size=300), max_size=8), st.integers(1, 10))
def test_any_text_can_be_summarised(paragraphs: list[str], count: int) -> None:
    chosen, read = summary_sentences(paragraphs, count)
    assert len(chosen) <= min(count, read)
