"""`research.search` and `research.summarizer`: full-text search and extractive summaries of the documents."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Contract
from planwarden.errors import ToolFailed
from planwarden.tools.data_sources import DataSources, is_playbook
from planwarden.tools.domains.corpus import Document, Passage, document_topics, read_documents, words
from planwarden.tools.domains.full_text import match_expression
from planwarden.tools.domains.textrank import MAX_SENTENCES, summary_sentences
from planwarden.tools.function import FunctionTool, tool

MAX_CHOICES = 60


class Hit(Contract):
    """A passage that was found; a higher score is better."""

    document: str
    heading: str
    passage: str
    score: float


class SearchResult(Contract):
    """The best passages, best first."""

    text: str
    hits: tuple[Hit, ...]


class Summary(Contract):
    """The most central sentences of a document, in their order."""

    text: str
    document: str
    sentences: tuple[str, ...]
    sentences_read: int


def research_tools(sources: DataSources) -> tuple[FunctionTool, ...]:
    """Make the research tools over the documents; none when there are no documents with text.

    Raises:
        DataRejected: a document cannot be read.
    """
    documents = tuple(document for document in read_documents(sources.documents) if document.passages)
    if not documents:
        return ()
    special = {file.name for file in sources.documents if is_playbook(file.path)}
    plain = tuple(document for document in documents if document.name not in special)
    return (_search_tool(documents, document_topics(plain or documents)), _summarizer_tool(documents))


def _search_tool(documents: Sequence[Document], topics: tuple[str, ...]) -> FunctionTool:
    index = _build_index([passage for document in documents for passage in document.passages])
    lock = threading.Lock()

    @tool(
        name="research.search",
        effect="read",
        description="Search the user's documents for passages about something and give the best ones."
        f" Documents: {_listed(documents)}.",
        alternatives=("research.summarizer",),
        topics=topics,  # a playbook's words are those of the tool for playbooks
        examples=(
            "What do our documents say about refunds?",
            "Find the section on security requirements",
            _searched(documents),
            "Where is the retention policy described?",
            "Explain how the process works according to the documentation",
            "Look up what the handbook says about remote work",
            "Which rules apply to contractors?",
        ),
    )
    def search(
        query: Annotated[str, Field(description="Words to search for", min_length=1, max_length=500)],
        limit: Annotated[int, Field(description="How many passages", ge=1, le=10)] = 5,
    ) -> SearchResult:
        expression = match_expression(query)
        if not expression:
            raise ToolFailed("the query holds no words.", remedy="Search for words or numbers.")
        with lock:
            rows = index.execute(
                "SELECT document, heading, body, -bm25(passages, 0.0, 2.0, 1.0) FROM passages"
                " WHERE passages MATCH ? ORDER BY bm25(passages, 0.0, 2.0, 1.0), rowid LIMIT ?",
                (expression, limit),
            ).fetchall()
        hits = tuple(
            Hit(document=str(row[0]), heading=str(row[1]), passage=str(row[2]), score=round(float(row[3]), 4))
            for row in rows
        )
        if not hits:
            raise ToolFailed(
                f"nothing found for '{query[:100]}' in {len(documents)} documents.", remedy="Try other words."
            )
        return SearchResult(text="\n".join(_stated(hit) for hit in hits), hits=hits)

    return search


def _summarizer_tool(documents: Sequence[Document]) -> FunctionTool:
    by_name = {document.name: document for document in documents}

    @tool(
        name="research.summarizer",
        effect="read",
        description="Summarise one of the user's documents: its most important sentences, word for word."
        f" Documents: {_listed(documents)}.",
        alternatives=("research.search",),
        examples=(
            ToolExample(
                request=f"Summarise {documents[0].name[:64]}",
                arguments={"document": documents[0].name, "sentences": 1},
                returns={"document": documents[0].name, "sentences": [""]},
            ),
            "Give me the key points of this document",
            "What is the report about, in three sentences?",
            "TL;DR of the meeting notes",
            "Short overview of the contract",
        ),
        choices={"document": tuple(by_name)} if len(by_name) <= MAX_CHOICES else {},
    )
    def summarizer(
        document: Annotated[str, Field(description="The document to summarise")],
        sentences: Annotated[int, Field(description="How many sentences", ge=1, le=10)] = 3,
    ) -> Summary:
        found = by_name.get(document) or _by_part(by_name, document)
        if found is None:
            raise ToolFailed(
                f"there is no document '{document[:100]}'.", remedy=f"Try one of: {_listed(documents)}."
            )
        chosen, read = summary_sentences([passage.text for passage in found.passages], sentences)
        if not chosen:
            raise ToolFailed(f"'{found.name}' holds no sentences.", remedy="Search it instead.")
        bounded = f" (its first {read} sentences)" if read == MAX_SENTENCES else ""
        return Summary(
            text=f"{found.name}{bounded}: {' '.join(chosen)}",
            document=found.name,
            sentences=chosen,
            sentences_read=read,
        )

    return summarizer


def _searched(documents: Sequence[Document]) -> ToolExample:
    """Make the example of a search; one of words only where no passage holds a word."""
    for passage in (passage for document in documents for passage in document.passages):
        query = " ".join(words(passage.heading or passage.text)[:8])[:200]
        if match_expression(query):
            request = f"Search the documents for {query}"
            return ToolExample(
                request=request, arguments={"query": query}, returns={"hits": [{"document": ""}]}
            )
    return ToolExample(request="Search the documents for something")


def _build_index(passages: Sequence[Passage]) -> sqlite3.Connection:
    index = sqlite3.connect(":memory:", check_same_thread=False)
    index.execute(
        "CREATE VIRTUAL TABLE passages USING fts5(document UNINDEXED, heading, body,"
        " tokenize = 'porter unicode61 remove_diacritics 2')"
    )
    index.executemany(
        "INSERT INTO passages VALUES (?, ?, ?)", [(one.document, one.heading, one.text) for one in passages]
    )
    index.commit()
    return index


def _stated(hit: Hit) -> str:
    place = f"{hit.document}, {hit.heading}" if hit.heading else hit.document
    passage = " ".join(hit.passage.split())
    return f"[{place}] {passage if len(passage) <= 400 else passage[:399].rstrip() + '…'}"


def _by_part(by_name: dict[str, Document], wanted: str) -> Document | None:
    """Find the one document whose name contains the words; None when there are none or several."""
    fold = wanted.strip().casefold()
    near = [document for name, document in by_name.items() if fold and fold in name.casefold()]
    return near[0] if len(near) == 1 else None


def _listed(documents: Sequence[Document]) -> str:
    names = [document.name[:40] for document in documents[:12]]
    more = len(documents) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
