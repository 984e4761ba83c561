"""The task as a command line gives it: an argument, or stdin."""

from __future__ import annotations

import getpass

import typer
from pydantic import ValidationError

from planwarden.configuration.telemetry import ambient_traceparent
from planwarden.contracts.task import MAX_PROMPT_CHARS, Principal, Task
from planwarden.errors import InputError, TaskRejected

SAY_IT = f"Say in words what is to be done, in at most {MAX_PROMPT_CHARS:,} characters."


def make_task(text: str, data: list[str] | None, conversation: str | None) -> Task:
    """Make the task of a command line.

    Raises:
        TaskRejected: it is empty, too large, or not text.
    """
    checked_conversation(conversation)
    return task_of(_stdin() if text == "-" else text, data, conversation)


def checked_conversation(conversation: str | None) -> None:
    """Refuse an id that no conversation can have.

    Raises:
        InputError: it is empty or too long.
    """
    if conversation is not None and not 1 <= len(conversation) <= 256:
        raise InputError(
            f"--conversation is {len(conversation)} characters long.",
            remedy="Give an id of 1 to 256 characters.",
        )


def task_of(text: str, data: list[str] | None, conversation: str | None) -> Task:
    """Make a task of these very words.

    Raises:
        TaskRejected: it is empty, too large, or not text.
    """
    if len(text) > MAX_PROMPT_CHARS:
        raise _too_long(f"{len(text):,} characters")
    try:
        principal = Principal(id=this_person())
        return Task(
            prompt=text,
            data=tuple(data or ()),
            conversation=conversation,
            principal=principal,
            traceparent=ambient_traceparent(),
        )
    except ValidationError as error:
        what = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        if not text:
            what = "the task is empty"
        raise TaskRejected(f"The task cannot be used: {what}.", remedy=SAY_IT) from error


def this_person() -> str:
    """Give the name under which the machine knows who is asking; `local` where it knows none."""
    try:
        return getpass.getuser()[:256] or "local"
    except (KeyError, OSError):  # a container whose user has no name
        return "local"


def _stdin() -> str:
    """Read the task from stdin; no more than a task can be long."""
    most = 4 * MAX_PROMPT_CHARS
    read = typer.get_binary_stream("stdin").read(most + 1)
    if len(read) > most:
        raise _too_long(f"more than {most:,} bytes")
    try:
        return read.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TaskRejected(
            f"The task on stdin is not UTF-8 text: {error.reason} at byte {error.start}.", remedy=SAY_IT
        ) from error


def _too_long(size: str) -> TaskRejected:
    return TaskRejected(
        f"The task is too long: {size}.",
        remedy=f"Say it in at most {MAX_PROMPT_CHARS:,} characters; "
        "give long texts and tables as files, with --data.",
    )
