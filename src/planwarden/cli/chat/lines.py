"""Lines from a person or from a script: with history and editing in a terminal, bare where piped."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from planwarden.cli.output import say

MAX_HISTORY = 1_000
PROMPT = "> "


class Lines:
    """Reads from stdin, one line at a time."""

    def __init__(self, *, interactive: bool) -> None:
        self.interactive = interactive
        """Whether a person can be asked something; a script's next line is never taken for an answer."""

    def next_line(self, prompt: str = PROMPT) -> str | None:
        """Give the next line without its end; None when there are no more (Ctrl-D).

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        if self.interactive:
            try:
                return input(prompt)
            except EOFError:
                return None
        line = sys.stdin.buffer.readline()
        return line.decode("utf-8", "replace").rstrip("\r\n") if line else None

    def choose(self, question: str, answers: dict[str, str]) -> str | None:
        """Have one of the answers chosen by its first letter or its word; None when nobody says.

        Args:
            question: what is to be decided.
            answers: word → what it stands for.
        """
        offered = " / ".join(f"{word[0]} {word}" for word in answers)
        while self.interactive:
            try:
                line = self.next_line(f"{question} ({offered}) ")
            except KeyboardInterrupt:
                line = None
            if line is None:
                say()
                return None
            said = line.strip().lower()
            for word, meaning in answers.items():
                if said and said in (word, word[0]):
                    return meaning
        return None


@contextmanager
def history(path: Path, *, interactive: bool) -> Generator[None]:
    """Keep what is typed between sessions, readable by its owner only; editing comes with it.

    A terminal without the library, or a disk that refuses, leaves a session without a history.
    """
    if not interactive or importlib.util.find_spec("readline") is None:
        yield
        return
    import readline  # noqa: PLC0415 - not on every system, and not needed where lines are piped

    with suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(MAX_HISTORY)
    try:
        yield
    finally:
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            readline.write_history_file(path)
