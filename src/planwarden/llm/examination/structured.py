"""Does the reply keep to a JSON schema, and do token probabilities come back that can be computed with?"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from planwarden.contracts.finding import Finding
from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.specs import JsonSchema
from planwarden.errors import ReplyIncomplete
from planwarden.llm.examination.asked import Asked, object_of
from planwarden.llm.service import ReplyBroken, TokenChoice

ODD: JsonSchema = object_of(
    {
        "verdict": {"enum": ["zq-maple", "xv-basalt", "wk-lantern"]},
        "codes": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"enum": ["#17", "#29", "#58"]}},
    }
)
"""No model says such a thing unless it is held to it."""
JOKE = "Tell me a short joke about a lighthouse keeper and a gull."
ROOM = 200
TOP_LOGPROBS = 20
"""As many as the planner asks for."""


async def look_at_structure(asked: Asked) -> tuple[Finding, ...]:
    """Ask for a joke under a schema without room for one, with token probabilities, as the planner asks."""
    try:
        reply = await asked.ask(JOKE, schema=ODD, max_output_tokens=ROOM, top_logprobs=TOP_LOGPROBS)
    except ReplyBroken:
        raise
    except ReplyIncomplete:
        return (_not_held(f"it went on past {ROOM} tokens, where the schema allows about 30"),)
    return (_schema_finding(reply.text), probability_finding(reply.tokens, asked))


def _schema_finding(text: str) -> Finding:
    try:
        problems = schema_problems(ODD, json.loads(text))
    except ValueError:
        problems = ("it is not JSON",)
    if not problems:
        return Finding(
            check="schema",
            status="ok",
            detail="asked for a joke under a schema without room for one, it kept to the schema",
        )
    return _not_held(f"{problems[0]}; it began {text[:40]!r}")


def _not_held(why: str) -> Finding:
    return Finding(
        check="schema",
        status="bad",
        detail=f"the reply is not held to the JSON schema: {why}",
        remedy="Use a server that constrains output to a JSON schema: Ollama's own, llama.cpp's or vLLM's,"
        " without a proxy that drops `format` or `response_format`.",
    )


def probability_finding(tokens: Sequence[TokenChoice], asked: Asked) -> Finding:
    """Judge the tokens of one reply."""
    most = max((len(token.alternatives) for token in tokens), default=0)
    figures = {"tokens": len(tokens), "alternatives": most}
    fault = _probability_fault(tokens)
    if fault is None:
        return Finding(
            check="probabilities",
            status="ok",
            detail=f"{len(tokens)} tokens add up to the reply, with up to {most} alternatives each",
            figures={**figures},
        )
    if not asked.options.needs_probabilities:
        detail = f"{fault}; this role does not use them"
        return Finding(check="probabilities", status="skipped", detail=detail, figures={**figures})
    return Finding(
        check="probabilities",
        status="warning",
        detail=f"{fault}: a plan's confidence cannot be measured",
        remedy="Use a server that reports `logprobs` (Ollama 0.12.11 or later, llama.cpp, vLLM); until then "
        f"keep the gate open: {asked.options.line('MIN_CONFIDENCE', 0)}",
        figures={**figures},
    )


def _probability_fault(tokens: Sequence[TokenChoice]) -> str | None:
    if not tokens:
        return "no token probabilities came back, or their tokens do not add up to the reply"
    logprobs = [token.logprob for token in tokens]
    logprobs += [each.logprob for token in tokens for each in token.alternatives]
    if any(math.isnan(logprob) or logprob > 1e-6 for logprob in logprobs):
        return "a token has a probability above 1"
    if max(len(token.alternatives) for token in tokens) < 2:
        return "tokens came back without alternatives"
    if any(sum(math.exp(each.logprob) for each in token.alternatives) > 1.01 for token in tokens):
        return "the probabilities of a token's alternatives add up to more than 1"
    if all(logprob == 0 for logprob in logprobs):
        return "every token is said to be certain, which no model is"
    return None
