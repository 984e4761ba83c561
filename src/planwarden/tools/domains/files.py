"""`files.read` and `files.write`: text files of the workspace, and for reading also the data files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated

import anyio.to_thread
from pydantic import Field

from planwarden.contracts.specs import ToolExample
from planwarden.contracts.value import Contract, Json
from planwarden.errors import ToolFailed
from planwarden.tools.data_sources import DataSources
from planwarden.tools.domains.crash_exact import TEMPORARY_PREFIX, WriteRequest, outcome_of, write_once
from planwarden.tools.function import FunctionTool, tool
from planwarden.tools.tool import ToolContext, Unknown, Verification

MAX_READ_BYTES = 1_000_000
MAX_READ_CHARS = 50_000
MAX_WRITE_CHARS = 200_000
_SHOWN_CHARS = 1_500
_ALL_IS_WELL = hashlib.sha256(b"all is well").hexdigest()

FilePath = Annotated[
    str,
    Field(
        description="Path in the workspace, like notes/today.md",
        min_length=1,
        max_length=400,
        json_schema_extra={"x-verbatim": "file"},
    ),
]


class FileContent(Contract):
    """A text file, cut at 50,000 characters."""

    text: str
    path: str
    content: str
    truncated: bool


class WrittenFile(Contract):
    """What was written; `sha256` is of the bytes."""

    text: str
    path: str
    bytes: int
    sha256: str
    replaced: bool


def file_tools(sources: DataSources, workspace: Path, state_dir: Path) -> tuple[FunctionTool, ...]:
    """Make the file tools. `workspace` is all they may write; `state_dir` keeps the record of writes."""
    return (_read_tool(sources, workspace), _write_tool(workspace, state_dir))


def _read_tool(sources: DataSources, workspace: Path) -> FunctionTool:
    data = {document.name: document.path for document in sources.documents}
    for table in sources.tables:
        data.setdefault(table.path.name, table.path)
    names = list(data)[:12]
    listed = (
        f" Data files: {', '.join(name[:40] for name in names)}{', …' if len(data) > 12 else ''}."
        if data
        else ""
    )

    @tool(
        name="files.read",
        effect="read",
        description=f"Read a text file from the workspace or from the user's data files.{listed}",
        examples=(
            _opened(data),
            "Show me the content of the config file",
            "Read the draft I saved earlier",
            "What is written in todo.md?",
            "Print the first lines of the CSV file",
        ),
    )
    def read(path: FilePath) -> FileContent:
        target = data.get(path.strip()) or inside(workspace, path)
        try:
            if not target.is_file():
                raise ToolFailed(
                    f"there is no file '{path[:200]}'.", remedy="Give the path of a file in the workspace."
                )
            with target.open("rb") as stream:
                raw = stream.read(MAX_READ_BYTES + 1)
        except OSError as error:
            raise ToolFailed(
                f"'{path[:200]}' cannot be read: {error.strerror}.", remedy="Check the file."
            ) from error
        content = _decoded(raw[:MAX_READ_BYTES], path)
        truncated = len(raw) > MAX_READ_BYTES or len(content) > MAX_READ_CHARS
        content = content[:MAX_READ_CHARS]
        shown = content if len(content) <= _SHOWN_CHARS else content[: _SHOWN_CHARS - 1] + "…"
        return FileContent(
            text=f"{path.strip()} says:\n{shown}", path=path.strip(), content=content, truncated=truncated
        )

    return read


def _opened(data: Mapping[str, Path]) -> ToolExample:
    """Make the example of reading; one of words only where the user's data holds no text."""
    name = next((name for name, path in data.items() if len(name) <= 400 and _begins_as_text(path)), None)
    if name is None:
        return ToolExample(request="Open notes.txt")
    return ToolExample(
        request=f"Open {name}", arguments={"path": name}, returns={"path": name.strip(), "content": ""}
    )


def _begins_as_text(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return b"\x00" not in stream.read(4_096)
    except OSError:
        return False


def _write_tool(workspace: Path, state_dir: Path) -> FunctionTool:
    def request(path: str, content: str, context: ToolContext) -> WriteRequest:
        target = inside(workspace, path)
        replaced = _replaces(target, path)
        try:
            raw = content.encode()
        except UnicodeEncodeError as error:
            raise ToolFailed("the content is not valid text.", remedy="Write valid Unicode text.") from error
        name = target.relative_to(workspace.resolve()).as_posix()
        text = f"{'Replaced' if replaced else 'Wrote'} {name}: {len(content)} characters."
        value = WrittenFile(
            text=text, path=name, bytes=len(raw), sha256=hashlib.sha256(raw).hexdigest(), replaced=replaced
        )
        return WriteRequest(
            target=target,
            content=raw,
            key=context.idempotency_key,
            state_dir=state_dir,
            value=value.model_dump(mode="json"),
        )

    async def verify(arguments: Mapping[str, Json], context: ToolContext) -> Verification:
        try:
            wanted = request(str(arguments["path"]), str(arguments["content"]), context)
        except ToolFailed as error:
            return Unknown(reason=error.message)
        return await anyio.to_thread.run_sync(outcome_of, wanted)

    @tool(
        name="files.write",
        effect="write",
        description="Write a text file into the workspace, replacing a file of the same name.",
        examples=(
            "Save this summary to report.md",
            ToolExample(
                request="Save the text 'all is well' to a file",
                arguments={"path": "all-is-well.txt", "content": "all is well"},
                returns={"path": "all-is-well.txt", "bytes": 11, "replaced": False, "sha256": _ALL_IS_WELL},
            ),
            "Write the result into a file",
            "Create a file called todo.txt with these items",
            "Store the answer in notes/answer.md",
            "Export the findings as a text file",
        ),
        untrusted_output=False,
        verify=verify,
    )
    def write(
        *,
        path: FilePath,
        content: Annotated[str, Field(description="The whole text of the file", max_length=MAX_WRITE_CHARS)],
        context: ToolContext,
    ) -> WrittenFile:
        wanted = request(path, content, context)
        try:
            return WrittenFile.model_validate(write_once(wanted))
        except OSError as error:
            raise ToolFailed(
                f"'{path[:200]}' cannot be written: {error.strerror}.",
                remedy="Check the workspace folder and its disk.",
            ) from error

    return write


def _replaces(target: Path, path: str) -> bool:
    """Say whether a file is there already.

    Raises:
        ToolFailed: no file of that name can be written.
    """
    try:
        there = target.exists()
        unusable = target.name.startswith(TEMPORARY_PREFIX) or target.is_dir()
    except OSError as error:
        raise ToolFailed(
            f"'{path[:200]}' cannot be written: {error.strerror}.", remedy="Give another name."
        ) from error
    if unusable:
        raise ToolFailed(
            f"'{path[:200]}' cannot be written: it is not a file name.", remedy="Give a file name."
        )
    return there


def inside(workspace: Path, path: str) -> Path:
    """Give the real path of a relative one, links followed, when it stays inside the workspace.

    Raises:
        ToolFailed: it is absolute, has `..`, or a link leads out.
    """
    wanted = PurePosixPath(path.strip())
    outside = ToolFailed(
        f"'{path[:200]}' is outside the workspace.", remedy="Give a relative path without '..'."
    )
    if "\x00" in path or "\\" in path or wanted.is_absolute() or ".." in wanted.parts or not wanted.parts:
        raise outside
    root = workspace.resolve()
    try:
        real = (root / wanted).resolve()
    except (OSError, RuntimeError, UnicodeError) as error:
        raise outside from error
    if real == root or not real.is_relative_to(root):
        raise outside
    return real


def _decoded(raw: bytes, path: str) -> str:
    if b"\x00" in raw:
        raise ToolFailed(f"'{path[:200]}' is not a text file.", remedy="Read text files only.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
