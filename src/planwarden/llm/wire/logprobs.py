"""Token probabilities in the shape that llama.cpp and Ollama share with the OpenAI API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from planwarden.llm.service import TokenAlternative, TokenChoice

Object = Mapping[str, object]


def read_token(entry: Object) -> TokenChoice:
    """Read one entry of a reply's `logprobs`."""
    alternatives = cast("Sequence[Object]", entry.get("top_logprobs") or ())
    return TokenChoice(
        text=str(entry["token"]),
        logprob=float(cast("float", entry["logprob"])),
        alternatives=tuple(
            TokenAlternative(text=str(each["token"]), logprob=float(cast("float", each["logprob"])))
            for each in alternatives
        ),
    )
