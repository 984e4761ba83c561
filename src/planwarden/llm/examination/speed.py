"""How fast the model was during the examination: one sample, not a benchmark."""

from __future__ import annotations

import math
from collections.abc import Sequence

from planwarden.contracts.finding import Finding
from planwarden.llm.examination.asked import ExaminationOptions
from planwarden.llm.service import LLMReply


def tokens_a_second(replies: Sequence[LLMReply]) -> tuple[float, float] | None:
    """Give prompt and output tokens a second, of the longest prompt and the longest output there was.

    Where the server does not say how long each part took, the whole exchange counts for both: too low, then.
    """
    if not replies:
        return None
    long_prompt = max(replies, key=lambda reply: reply.usage.prompt_tokens - reply.usage.cached_tokens)
    long_output = max(replies, key=lambda reply: reply.usage.output_tokens)
    prompt_s = long_prompt.timing.prompt_s if long_prompt.timing else long_prompt.usage.latency_s
    output_s = long_output.timing.output_s if long_output.timing else long_output.usage.latency_s
    read = long_prompt.usage.prompt_tokens - long_prompt.usage.cached_tokens
    if prompt_s <= 0 or output_s <= 0 or read <= 0:
        return None
    return read / prompt_s, long_output.usage.output_tokens / output_s


def speed_finding(replies: Sequence[LLMReply], options: ExaminationOptions) -> Finding:
    """Say how fast, and whether the longest exchange that the settings allow fits its time-out."""
    speeds = tokens_a_second(replies)
    if speeds is None:
        detail = "the server does not say how many tokens it read and wrote"
        return Finding(check="speed", status="skipped", detail=detail)
    prompt, output = speeds
    longest_s = options.num_ctx / prompt + options.max_output_tokens / max(output, 0.01)
    figures = {
        "prompt_tokens_per_s": round(prompt, 1),
        "output_tokens_per_s": round(output, 1),
        "longest_exchange_s": round(longest_s, 1),
    }
    split = all(reply.timing for reply in replies)
    detail = f"{prompt:.0f} prompt and {output:.0f} output tokens a second (one sample)"
    detail = detail if split else f"at least {detail}"
    if longest_s <= options.timeout_s:
        return Finding(check="speed", status="ok", detail=detail, figures={**figures})
    return Finding(
        check="speed",
        status="warning",
        detail=f"{detail}: a full context and a full reply would take about {longest_s:.0f} s, the time-out"
        f" is {options.timeout_s:g} s",
        remedy=options.line("TIMEOUT_S", math.ceil(longest_s * 1.5 / 10) * 10),
        figures={**figures},
    )
