"""YAML with line numbers: plain values, and for every path the line it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import yaml

from planwarden.contracts.value import Json, canonical_json
from planwarden.errors import CatalogRejected

MAX_BYTES = 1_000_000
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinedYaml:
    """A document, and where in its file each part stands."""

    source: str
    """The file's name, for messages."""
    value: Json
    lines: Mapping[KeyPath, int] = field(default_factory=dict[KeyPath, int])

    def line(self, path: KeyPath) -> int:
        """Give the line of a path, or of its nearest parent that stands in the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 1

    def mistake(self, path: KeyPath, message: str, remedy: str) -> CatalogRejected:
        """Make the error for a mistake at a path: file, line, what, and what to do."""
        return CatalogRejected(f"{self.source}, line {self.line(path)}: {message}.", remedy=remedy)


def read_yaml(text: str, source: str) -> LinedYaml:
    """Read one YAML document of mappings, lists and plain values.

    Raises:
        CatalogRejected: not YAML, more than one document, a key twice, an anchor, or too large.
    """
    if len(text) > MAX_BYTES:
        raise too_large(source)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogRejected(
            f"{source}, line {line}: not YAML: {error.problem or error.context}.",
            remedy="Mend the line; `planwarden init` writes a file that is right.",
        ) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise CatalogRejected(
            f"{source}, line {line}: not text: {error.reason}.",
            remedy="`planwarden init` writes a file that is right.",
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise CatalogRejected(
            f"{source}, line 1: not YAML: {error}.", remedy="`planwarden init` writes a file that is right."
        ) from error
    lines: dict[KeyPath, int] = {}
    if node is None:
        return LinedYaml(source=source, value=None, lines=lines)
    reader = _Reader(source, lines)
    try:
        return LinedYaml(source=source, value=reader.read(node, ()), lines=lines)
    except RecursionError as error:
        raise CatalogRejected(
            f"{source}, line 1: nested too deeply.", remedy="`planwarden init` writes a file that is right."
        ) from error


def too_large(source: str) -> CatalogRejected:
    """Make the error for a file past the limit."""
    return CatalogRejected(
        f"{source}, line 1: more than {MAX_BYTES} bytes.",
        remedy="Name a catalog file; is this the right one?",
    )


class _Reader:
    def __init__(self, source: str, lines: dict[KeyPath, int]) -> None:
        self._source = source
        self._lines = lines
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, path: KeyPath) -> Json:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        if id(node) in self._seen:
            raise CatalogRejected(
                f"{self._source}, line {line}: an anchor is used.", remedy="Write the value out instead."
            )
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = cast("list[yaml.Node]", node.value)
            return [self.read(item, (*path, position)) for position, item in enumerate(items)]
        return self._scalar(node, line)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> Json:
        result: dict[str, Json] = {}
        for key_node, value_node in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            line = key_node.start_mark.line + 1
            key = self._scalar(key_node, line) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise CatalogRejected(
                    f"{self._source}, line {line}: a key that is not a word.", remedy="Write it in quotes."
                )
            if key in result:
                raise CatalogRejected(
                    f"{self._source}, line {line}: '{key}' stands here twice.", remedy="Remove one of them."
                )
            self._lines[(*path, key)] = line
            result[key] = self.read(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.Node, line: int) -> Json:
        loader = yaml.SafeLoader("")
        try:
            value: object = loader.construct_object(node, deep=True)  # pyright: ignore[reportUnknownMemberType] - untyped in the stubs
        except (yaml.YAMLError, ValueError) as error:
            raise CatalogRejected(
                f"{self._source}, line {line}: this value cannot be read: {error}.", remedy="Mend the value."
            ) from error
        finally:
            loader.dispose()
        if value is None or isinstance(value, bool | int | float | str):
            try:
                canonical_json(value).decode()
            except ValueError as error:
                raise CatalogRejected(
                    f"{self._source}, line {line}: not a finite number or not text: {error}.",
                    remedy="Mend the value.",
                ) from error
            return value
        raise CatalogRejected(
            f"{self._source}, line {line}: a value of an unknown kind ({type(value).__name__}).",
            remedy="Write it in quotes.",
        )
