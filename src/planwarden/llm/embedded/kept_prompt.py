"""What llama.cpp still holds of the last prompt, and when going on from it changes nothing. Pure.

A token's work does not depend on how many are worked on together, bit for bit, as long as it is not one
alone (one alone goes through other arithmetic) and flash attention is off. So a kept beginning changes
nothing, except where it would leave one token to be read alone, or holds tokens of a reply, which were made
one by one.
See docs/decisions/0027-kept-prompts.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

Body = Mapping[str, object]

LEAVES_OFF_EARLIER: Mapping[str, object] = {"role": "user", "content": "."}
"""A turn that no prompt goes on with: asked about it, llama.cpp lets go of the end of what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPrompt:
    """The last prompt, as llama.cpp holds it."""

    messages: object
    adapter: object
    """How it was applied: llama.cpp itself does not look at that."""
    tokens: int
    """Of the prompt alone; behind them are those of the reply."""

    def serves(self, body: Body) -> bool:
        """Say whether a prompt may be gone on with from here at all."""
        return self.adapter == body.get("lora")

    def is_of(self, body: Body) -> bool:
        """Say whether a request has the very same prompt."""
        return self.messages == body["messages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRead:
    """How a prompt was read."""

    tokens: int
    kept: int
    """Of them: how many were not read, for their work was there."""

    @property
    def fresh(self) -> int:
        """Give how many were read."""
        return self.tokens - self.kept

    def as_if_anew(self, before: KeptPrompt, batch: int) -> bool:
        """Say whether every token's work is what it had been without anything kept.

        Args:
            before: what was held.
            batch: how many tokens are worked on together at most.
        """
        if not self.kept:
            return True
        alone = self.fresh % batch == 1
        return self.kept < before.tokens and alone == (self.tokens % batch == 1)


def prompt_read(chunks: Sequence[object]) -> PromptRead | None:
    """Give how a reply's prompt was read; None where its chunks do not say."""
    for chunk in reversed(chunks):
        usage = cast("Body", chunk).get("usage") if isinstance(chunk, Mapping) else None
        if isinstance(usage, Mapping):
            return _counted(cast("Body", usage))
    return None


def _counted(usage: Body) -> PromptRead | None:
    details = usage.get("prompt_tokens_details")
    kept = cast("Body", details).get("cached_tokens", 0) if isinstance(details, Mapping) else 0
    tokens = usage.get("prompt_tokens")
    if not isinstance(tokens, int) or not isinstance(kept, int):
        return None
    return PromptRead(tokens=tokens, kept=kept)


def leaving_off_earlier(body: Body) -> Body:
    """Give a request after which llama.cpp no longer holds the last tokens of this prompt.

    A prompt that is the same to the last token would leave that one to be read alone. This one goes on
    otherwise a few tokens before the end; its reply is of no use.
    """
    messages = cast("Sequence[object]", body["messages"])
    shorter = {
        key: value for key, value in body.items() if key not in ("grammar", "logprobs", "top_logprobs")
    }
    return {
        **shorter,
        "messages": [*messages, LEAVES_OFF_EARLIER],
        "add_generation_prompt": False,
        "max_tokens": 1,
        "cache_prompt": True,
    }


def with_read(chunks: Sequence[object], more: int) -> list[object]:
    """Give a reply's chunks with so many tokens more counted as read, for the work that it took."""
    return [_with_read(chunk, more) for chunk in chunks]


def _with_read(chunk: object, more: int) -> object:
    found = prompt_read([chunk])
    if found is None:
        return chunk
    known = cast("Mapping[str, Body]", chunk)
    details = {"cached_tokens": max(0, found.kept - more)}
    return {**known, "usage": {**known["usage"], "prompt_tokens_details": details}}
