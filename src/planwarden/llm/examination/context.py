"""The context really in force: a prompt past it is refused, one within it is read to its first word."""

from __future__ import annotations

import math
from dataclasses import dataclass

from planwarden.contracts.finding import Finding
from planwarden.contracts.specs import JsonSchema
from planwarden.errors import ModelTimedOut, PromptTooLong, ReplyIncomplete, ReplyInvalid
from planwarden.llm.examination.asked import Asked, object_of
from planwarden.llm.examination.speed import tokens_a_second
from planwarden.llm.service import LLMReply, ModelHealth, ReplyBroken

LETTER: JsonSchema = object_of({"say": {"enum": ["a", "b"]}})
FEW, MANY = 8, 200
"""Filler words of the two prompts from which tokens per word are counted."""
TALK_TOKENS = 320
"""For a model that is not held to the schema and talks: enough to come to an end by itself."""
ROOM_TOKENS = 64
"""Left for the reply below a full context."""
SEEN = 0.97
"""The least share of a prompt's expected tokens that the server must say it read."""
_CUT_REMEDY = (
    "Do not use this server: what is cut is the beginning, where the rules stand. Update it (Ollama from"
    " 0.12.11 on refuses), or take the proxy away that drops `truncate`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How this model counts."""

    fixed_tokens: float
    tokens_per_word: float
    known: bool
    """False when the server does not count prompt tokens; then one word is taken for one token."""

    def words(self, tokens: float) -> int:
        """Give how many filler words make a prompt of about so many tokens."""
        return max(FEW, math.ceil((tokens - self.fixed_tokens) / self.tokens_per_word))

    def tokens(self, words: int) -> int:
        """Give about how many tokens a prompt with so many filler words has."""
        return round(self.fixed_tokens + self.tokens_per_word * words)


UNKNOWN = Calibration(fixed_tokens=64, tokens_per_word=1.0, known=False)


def prompt_of(words: int, first: str = "north") -> str:
    """Write a prompt of about so many words, whose beginning is full of the word `first`."""
    beginning = " ".join([first] * 32)
    return f"Here is a list of words: {beginning} {'river ' * words}\nSay a or b."


async def calibrate(asked: Asked) -> Calibration:
    """Have two short prompts counted.

    Raises:
        ModelError: the model does not answer.
    """
    try:
        few = (await _ask(asked, FEW, room=TALK_TOKENS)).usage.prompt_tokens
        many = (await _ask(asked, MANY, room=TALK_TOKENS)).usage.prompt_tokens
    except ReplyBroken:
        raise
    except ReplyIncomplete:
        return UNKNOWN
    slope = (many - few) / (MANY - FEW)
    if few <= 0 or slope < 0.5:
        return UNKNOWN
    return Calibration(fixed_tokens=few - slope * FEW, tokens_per_word=slope, known=True)


async def look_at_context(asked: Asked, health: ModelHealth, known: Calibration) -> tuple[Finding, ...]:
    """Ask with a prompt that is too long, and with a full one where that is affordable."""
    limit = health.context_tokens or asked.options.num_ctx
    findings = [_promised(asked, limit)] if limit < asked.options.num_ctx else []
    refused = await _past_the_limit(asked, limit, known)
    return (*findings, refused, await _at_the_limit(asked, limit, known))


def loaded_finding(asked: Asked, health: ModelHealth) -> Finding | None:
    """Compare with what the server says it made room for, where it says so; None where all is as set."""
    limit = health.context_tokens or asked.options.num_ctx
    loaded = health.footprint.loaded_context_tokens if health.footprint else None
    if loaded is None or loaded >= limit:
        return None
    return Finding(
        check="loaded context",
        status="bad",
        detail=f"the server says it loaded the model with room for {loaded} tokens, not {limit}",
        remedy=asked.options.line("NUM_CTX", loaded),
        figures={"loaded_context_tokens": loaded, "wanted": limit},
    )


def _promised(asked: Asked, limit: int) -> Finding:
    return Finding(
        check="promised context",
        status="warning",
        detail=f"the settings want {asked.options.num_ctx} tokens, the model has {limit}",
        remedy=asked.options.line("NUM_CTX", limit),
        figures={"num_ctx": asked.options.num_ctx, "context_tokens": limit},
    )


async def _past_the_limit(asked: Asked, limit: int, known: Calibration) -> Finding:
    words = known.words(limit * (1.05 if known.known else 2.0) + ROOM_TOKENS)
    sent = known.tokens(words)
    figures = {"context_tokens": limit, "sent_tokens": sent}
    try:
        reply = await _ask(asked, words)
    except PromptTooLong:
        detail = f"a prompt of about {sent} tokens was refused, not cut (context {limit})"
        return Finding(check="context", status="ok", detail=detail, figures={**figures})
    except ReplyBroken:
        raise
    except (ReplyInvalid, ReplyIncomplete) as error:
        return _cut(f"a prompt of about {sent} tokens was taken: {error.message}", figures)
    read = reply.usage.prompt_tokens
    unseen = "" if read < SEEN * sent else await _unseen(asked, words, reply)
    if unseen:
        return _cut(f"a prompt of about {sent} tokens was taken, but {unseen}", figures)
    if known.known and read >= SEEN * sent:
        detail = (
            f"a prompt of {read} tokens was read whole: the context is longer than the {limit} tokens set"
        )
        return Finding(check="context", status="ok", detail=detail, figures={**figures, "read_tokens": read})
    return _cut(
        f"a prompt of about {sent} tokens was cut silently: {read} were read (context {limit})",
        {**figures, "read_tokens": read},
    )


def _cut(detail: str, figures: dict[str, int]) -> Finding:
    return Finding(check="context", status="bad", detail=detail, remedy=_CUT_REMEDY, figures={**figures})


async def _at_the_limit(asked: Asked, limit: int, known: Calibration) -> Finding:
    words = known.words(0.99 * limit - ROOM_TOKENS)
    speeds = tokens_a_second(asked.replies)
    seconds = 2 * known.tokens(words) / speeds[0] if speeds else math.inf
    if not known.known:
        detail = "the server does not count prompt tokens, so a cut cannot be told from a whole prompt"
        remedy = "Use a server that reports how many prompt tokens it read (`usage`, `prompt_eval_count`)."
        return Finding(check="full context", status="warning", detail=detail, remedy=remedy)
    if seconds > asked.options.full_context_s and not asked.options.thorough:
        return Finding(
            check="full context",
            status="skipped",
            detail=f"whether {limit} tokens are really read would take about {seconds:.0f} s to show",
            remedy="planwarden doctor --thorough",
        )
    try:
        return await _filled(asked, limit, known, words)
    except ModelTimedOut:
        return Finding(
            check="full context",
            status="warning",
            detail=f"a full context of {limit} tokens is not read within the time-out of"
            f" {asked.options.timeout_s:g} s",
            remedy=asked.options.line("TIMEOUT_S", math.ceil(max(seconds, asked.options.timeout_s) * 1.5)),
        )


async def _filled(asked: Asked, limit: int, known: Calibration, words: int) -> Finding:
    sent = known.tokens(words)
    try:
        north = await _ask(asked, words)
    except PromptTooLong:
        return await _smaller(asked, limit, known)
    read = north.usage.prompt_tokens
    figures = {"context_tokens": limit, "sent_tokens": sent, "read_tokens": read}
    if read < SEEN * sent:
        detail = f"a prompt of about {sent} tokens, which fits {limit}, was cut silently: {read} were read"
    elif unseen := await _unseen(asked, words, north):
        detail = f"of a prompt of {read} tokens, {unseen}"
    else:
        seen = " to its first words, which change the reply's probabilities" if north.tokens else ""
        detail = f"a prompt of {read} of {limit} tokens was read{seen}"
        return Finding(check="full context", status="ok", detail=detail, figures={**figures})
    return Finding(check="full context", status="bad", detail=detail, remedy=_CUT_REMEDY, figures={**figures})


async def _unseen(asked: Asked, words: int, north: LLMReply) -> str:
    """Change the first words of a prompt: say so if nothing changes in the reply's probabilities.

    Empty when they were seen, and when there are no probabilities to tell by.
    """
    if not north.tokens:
        return ""
    south = await _ask(asked, words, "south")
    if south.tokens != north.tokens:
        return ""
    return "the first words change nothing in the reply's probabilities: they were cut, whatever it counts"


async def _smaller(asked: Asked, limit: int, known: Calibration) -> Finding:
    """Find between which powers of two the context in force is; refusals cost next to nothing."""
    fits, most = 0, limit
    for tokens in (limit // 2, limit // 4, limit // 8):
        try:
            await _ask(asked, known.words(tokens - ROOM_TOKENS))
        except PromptTooLong:
            most = tokens
            continue
        fits = tokens
        break
    figures = {"context_tokens": limit, "fits": fits, "refused": most}
    return Finding(
        check="full context",
        status="bad",
        detail=f"a prompt that fits {limit} tokens was refused: between {fits} and {most} are in force",
        remedy=f"Let the server give it {limit} tokens, or set what it has: "
        + asked.options.line("NUM_CTX", max(fits, 512)),
        figures={**figures},
    )


async def _ask(asked: Asked, words: int, first: str = "north", *, room: int = ROOM_TOKENS // 2) -> LLMReply:
    prompt = prompt_of(words, first)
    return await asked.ask(prompt, schema=LETTER, max_output_tokens=room, top_logprobs=5)
