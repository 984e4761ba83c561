"""Playbooks as they stand in files: Markdown with numbered steps, or YAML; each step with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import yaml

from planwarden.errors import DataRejected
from planwarden.tools.data_sources import PLAYBOOK_SUFFIXES, DocumentFile, is_playbook
from planwarden.tools.domains.corpus import FRONT_MATTER, document_text, without_markup

MAX_STEPS = 200
"""Of one playbook; what comes after is not a list of steps any more."""
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.*?)\s*#*$")
_ITEM = re.compile(r"(?P<indent>\s*)(?:(?P<number>\d{1,3})[.)]|[-*+])\s+(?:\[[ xX]\]\s+)?(?P<text>\S.*)$")
_NESTED = 2
"""Spaces before an item that make it part of the step above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its place in the playbook, and where in the file it stands."""

    number: int
    section: str
    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """A playbook, read."""

    title: str
    owner: str | None
    tags: tuple[str, ...]
    steps: tuple[Step, ...]
    document: str
    line: int
    """Where its title stands."""


def read_playbooks(files: Sequence[DocumentFile]) -> tuple[Playbook, ...]:
    """Read those of the files that are playbooks, see `is_playbook`.

    A Markdown file's steps are its numbered list items or, when it has none, its bullets; what is indented
    below an item belongs to it. A file of a folder `playbooks` without any step is no playbook.

    Raises:
        DataRejected: a file is no valid YAML, or says that it is a playbook and has no step.
    """
    read = [_read(file) for file in files if is_playbook(file.path)]
    return tuple(playbook for playbook in read if playbook is not None)


def _read(file: DocumentFile) -> Playbook | None:
    text = document_text(file)
    if file.path.suffix.lower() in PLAYBOOK_SUFFIXES:
        fields = _fields(text, file, first_line=1)
        draft = _Draft(fields=fields, steps=_yaml_steps(fields, file))
    else:
        draft = _markdown(text, file)
    if not draft.steps:
        if draft.fields.text("kind") == "playbook":
            raise DataRejected(
                f"'{file.path}' says that it is a playbook, but has no steps.",
                remedy="Number its steps (`1. …`; in YAML a list `steps`), or remove `kind: playbook`.",
            )
        return None
    steps = [
        Step(number=at, section=section, text=said, line=line)
        for at, (section, said, line) in enumerate(draft.steps[:MAX_STEPS], 1)
    ]
    title = draft.fields.text("title") or draft.heading or file.path.stem.replace("-", " ").replace("_", " ")
    return Playbook(
        title=title[:200],
        owner=draft.fields.text("owner"),
        tags=draft.fields.texts("tags"),
        steps=tuple(steps),
        document=file.name,
        line=draft.fields.line("title") or draft.heading_line,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fields:
    """The keys of a YAML mapping, not yet taken for anything."""

    nodes: Mapping[str, yaml.Node] = field(default_factory=dict[str, yaml.Node])
    first_line: int = 1

    def text(self, key: str) -> str | None:
        node = self.nodes.get(key)
        return " ".join(str(node.value).split()) or None if isinstance(node, yaml.ScalarNode) else None

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of plain values; a single text is one of words between commas."""
        node = self.nodes.get(key)
        if isinstance(node, yaml.SequenceNode):
            items = cast("Sequence[yaml.Node]", node.value)
            return tuple(str(item.value) for item in items if isinstance(item, yaml.ScalarNode))
        return tuple(part.strip() for part in (self.text(key) or "").split(",") if part.strip())

    def line(self, key: str) -> int | None:
        node = self.nodes.get(key)
        return self.line_of(node) if node is not None else None

    def line_of(self, node: yaml.Node) -> int:
        return node.start_mark.line + self.first_line


@dataclass(slots=True, kw_only=True)
class _Draft:
    fields: _Fields
    heading: str = ""
    heading_line: int = 1
    steps: list[tuple[str, str, int]] = field(default_factory=list[tuple[str, str, int]])
    """Section, text, line."""


def _fields(text: str, file: DocumentFile, *, first_line: int) -> _Fields:
    """Read a YAML mapping's keys; its values stay unread, so nothing in them is expanded or made."""
    remedy = "Mend the YAML: a mapping with `title`, `owner`, `tags` and, in a YAML file, `steps`."
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark.line if error.problem_mark else 0) + first_line
        raise DataRejected(
            f"'{file.path}', line {line}: not YAML: {error.problem}.", remedy=remedy
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise DataRejected(f"'{file.path}': not YAML: {error}.", remedy=remedy) from error
    if not isinstance(node, yaml.MappingNode):
        raise DataRejected(f"'{file.path}', line {first_line}: not a mapping.", remedy=remedy)
    pairs = cast("Sequence[tuple[yaml.Node, yaml.Node]]", node.value)
    return _Fields(
        nodes={str(key.value): value for key, value in pairs if isinstance(key, yaml.ScalarNode)},
        first_line=first_line,
    )


def _yaml_steps(fields: _Fields, file: DocumentFile) -> list[tuple[str, str, int]]:
    """Read `steps`: each a text, or a mapping of `text` and perhaps `section`."""
    listed = fields.nodes.get("steps")
    if not isinstance(listed, yaml.SequenceNode):
        return []
    found: list[tuple[str, str, int]] = []
    section = ""
    for item in cast("Sequence[yaml.Node]", listed.value):
        if isinstance(item, yaml.MappingNode):
            pairs = cast("Sequence[tuple[yaml.Node, yaml.Node]]", item.value)
            inner = _Fields(nodes={str(key.value): value for key, value in pairs})
            section, said = inner.text("section") or section, inner.text("text")
        else:
            said = " ".join(str(item.value).split()) if isinstance(item, yaml.ScalarNode) else None
        line = fields.line_of(item)
        if not said:
            raise DataRejected(
                f"'{file.path}', line {line}: a step without a text.",
                remedy="Write the step as a text, or as {section: …, text: …}.",
            )
        found.append((section, said, line))
    return found


def _markdown(text: str, file: DocumentFile) -> _Draft:
    front = FRONT_MATTER.match(text)
    skipped = text.count("\n", 0, front.end()) if front else 0
    draft = _Draft(
        fields=_fields(front["yaml"], file, first_line=2) if front else _Fields(), heading_line=skipped + 1
    )
    reader = _Reader()
    for line, content in enumerate((text[front.end() :] if front else text).split("\n"), skipped + 1):
        reader.take(content, line)
    draft.steps = list(reader.chosen())
    if reader.headings:
        draft.heading, draft.heading_line = reader.headings[0]
    return draft


@dataclass(slots=True, kw_only=True)
class _Item:
    section: str
    numbered: bool
    text: str
    line: int

    def add(self, more: str, *, item: bool) -> None:
        """Take in what stands indented below: an item of its own after a semicolon, else more words."""
        between = "; " if item and not self.text.endswith((":", ".", ";")) else " "
        self.text += between + more


class _Reader:
    """Takes a document line by line; its items are steps."""

    def __init__(self) -> None:
        self.headings: list[tuple[str, int]] = []
        self._items: list[_Item] = []
        self._open: _Item | None = None
        self._fence = False
        self._blank = False

    def take(self, content: str, line: int) -> None:
        stripped = content.strip()
        if stripped.startswith(("```", "~~~")):
            self._fence = not self._fence
        elif self._fence:
            self._more(stripped)
        elif heading := _HEADING.match(content):
            self.headings.append((without_markup(heading["text"]), line))
            self._open = None
        elif item := _ITEM.match(content):
            self._item(item, line)
        elif stripped:
            self._words(content, stripped)
        self._blank = not stripped

    def chosen(self) -> Iterator[tuple[str, str, int]]:
        """Give the numbered items; all items when there are none."""
        numbered = [item for item in self._items if item.numbered]
        for item in numbered or self._items:
            yield item.section, item.text[:1_000], item.line

    def _item(self, found: re.Match[str], line: int) -> None:
        text = without_markup(found["text"])
        if self._open is not None and len(found["indent"].expandtabs(4)) >= _NESTED:
            self._open.add(text, item=True)
            return
        section = self.headings[-1][0] if len(self.headings) > 1 else ""
        self._open = _Item(section=section, numbered=found["number"] is not None, text=text, line=line)
        self._items.append(self._open)

    def _words(self, content: str, stripped: str) -> None:
        """Take a line that is no item: more of the open one when it is indented or follows directly."""
        if self._blank and not content.startswith((" ", "\t")):
            self._open = None
        self._more(without_markup(stripped))

    def _more(self, said: str) -> None:
        if self._open is not None and said:
            self._open.add(said, item=False)
