"""The user's documents as plain text, as passages under their headings, and as sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

from planwarden.errors import DataRejected
from planwarden.tools.data_sources import DocumentFile

MAX_PASSAGE_CHARS = 800
MAX_TOPICS = 400
_CHUNK_CHARS = 4_000
_BLOCKS = frozenset(
    {"p", "div", "li", "tr", "br", "section", "article", "ul", "ol", "table", "blockquote", "pre"}
)
_UNSEEN = frozenset({"script", "style", "template", "noscript"})
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?=\w+:)(?P<yaml>.*?)^---[ \t]*(?:\n|\Z)", re.MULTILINE | re.DOTALL)
"""What stands about a document before its text; no passage."""
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|Dr|Mr|Mrs|Ms|Prof|St|No|Fig|approx)|\b[A-Z])\.$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A paragraph or a few, with the heading above."""

    document: str
    heading: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document, read."""

    name: str
    passages: tuple[Passage, ...]


def read_documents(files: Sequence[DocumentFile]) -> tuple[Document, ...]:
    """Read all documents: UTF-8, else Latin-1, which takes any byte.

    Raises:
        DataRejected: a file cannot be read or is binary.
    """
    return tuple(
        Document(name=file.name, passages=tuple(_passages(file.name, _visible(file)))) for file in files
    )


def sentences(text: str) -> list[str]:
    """Split running text at full stops, question and exclamation marks, the wide ones too."""
    found: list[str] = []
    for piece in re.split(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[^\Wa-z_])|(?<=[。！？])", text):
        whole = " ".join(piece.split())
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] += " " + whole
        elif whole:
            found.append(whole)
    return found


def words(text: str) -> list[str]:
    """Give the words of a text in lower case, in any script."""
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text.lower())


def document_topics(documents: Sequence[Document]) -> tuple[str, ...]:
    """Give the words that documents speak of, the commonest first."""
    counted = Counter(
        word
        for document in documents
        for passage in document.passages
        for word in words(f"{passage.heading} {passage.text}")
        if len(word) > 3
    )
    return tuple(word for word, _ in counted.most_common(MAX_TOPICS))


def document_text(file: DocumentFile) -> str:
    """Read one document's text as it stands: UTF-8, else Latin-1, which takes any byte.

    Raises:
        DataRejected: the file cannot be read or is binary.
    """
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise DataRejected(
            f"'{file.path}' cannot be read: {error.strerror}.", remedy="Check the file."
        ) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    elif b"\x00" in data:
        raise DataRejected(f"'{file.path}' is not text.", remedy="Give a text file, or leave it out.")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _visible(file: DocumentFile) -> str:
    """Give what a reader of the document sees."""
    text = document_text(file)
    if file.path.suffix.lower() in (".html", ".htm"):
        page = _Page()
        page.feed(text)
        page.close()
        return "".join(page.parts)
    return FRONT_MATTER.sub("", text, count=1)


class _Page(HTMLParser):
    """Collects a page's visible text, with `#` before headings as in Markdown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the parser's signature
        if tag in _UNSEEN:
            self._unseen += 1
        elif re.fullmatch("h[1-6]|title", tag):
            self.parts.append("\n\n# ")
        elif tag in _BLOCKS:
            self.parts.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS or re.fullmatch("h[1-6]|title", tag):
            self.parts.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)


def _passages(name: str, text: str) -> Iterator[Passage]:
    heading = ""
    held = ""
    for block, is_heading in _blocks(text):
        if held and (is_heading or len(held) + len(block) > MAX_PASSAGE_CHARS):
            yield Passage(document=name, heading=heading, text=held)
            held = ""
        if is_heading:
            heading = block[:200]
        elif len(block) > _CHUNK_CHARS:
            for start in range(0, len(block), _CHUNK_CHARS):
                yield Passage(document=name, heading=heading, text=block[start : start + _CHUNK_CHARS])
        else:
            held = f"{held}\n{block}" if held else block
    if held:
        yield Passage(document=name, heading=heading, text=held)


def _blocks(text: str) -> Iterator[tuple[str, bool]]:
    """Give (text, is a heading) for each paragraph, list item and heading, without its markup."""
    lines: list[str] = []
    for line in [*text.split("\n"), ""]:
        stripped = line.strip()
        title = re.match(r"#{1,6}\s+(.*?)\s*#*$", stripped)
        underlined = len(lines) == 1 and re.fullmatch(r"([=\-~^\"*+])\1{2,}", stripped)
        item = re.match(r"(?:[-*+•]|\d{1,3}[.)])\s+", stripped)
        if title or underlined or item or not stripped:
            if lines:
                yield without_markup(" ".join(lines)), bool(underlined)
            lines = []
            if title and title[1]:
                yield without_markup(title[1]), True
            elif item:
                lines = [stripped[item.end() :]]
        elif not re.fullmatch(r"[\s|:`~=+\-]{3,}", stripped):
            lines.append(stripped.strip("|"))


def without_markup(text: str) -> str:
    """Give a line of Markdown without links, emphasis and code marks."""
    text = re.sub(r"!?\[([^\]]{0,500})\]\([^)\s]{0,1000}\)", r"\1", text)
    return re.sub(r"\*\*|__|`+", "", text)
