"""Do temperature, seed and the output limit reach the server?"""

from __future__ import annotations

from planwarden.contracts.finding import Finding
from planwarden.contracts.specs import JsonSchema
from planwarden.errors import ReplyIncomplete
from planwarden.llm.examination.asked import Asked, object_of
from planwarden.llm.service import ReplyBroken

LETTERS: JsonSchema = object_of(
    {"letters": {"type": "array", "minItems": 5, "maxItems": 5, "items": {"enum": [*"abcdefgh"]}}}
)
"""32,768 possible answers, of a length that ends by itself."""
PICK = "Pick five letters from a to h, as randomly as you can."
HOT = 1.5
LONG = "-".join(
    f"{word}-and-{word}" for word in ("harbour", "granite", "whisper", "lantern", "orchard", "copper")
)
LIMIT = 8
"""Tokens; the one text that the schema allows takes several times as many."""


async def look_at_sampling(asked: Asked) -> tuple[Finding, ...]:
    """Compare answers at temperature 0, and at 1.5 under the same and under other seeds."""

    async def pick(temperature: float, seed: int) -> str:
        return (await asked.ask(PICK, schema=LETTERS, temperature=temperature, seed=seed)).text

    cold = [await pick(0.0, 7), await pick(0.0, 7)]
    hot = [await pick(HOT, 11), await pick(HOT, 12)]
    if hot[0] == hot[1]:
        hot.append(await pick(HOT, 13))
    again = await pick(HOT, 11)
    return (_sampling_finding(cold, hot, again),)


def _sampling_finding(cold: list[str], hot: list[str], again: str) -> Finding:
    figures = {"answers_at_0": len({*cold}), "answers_at_1_5": len({*hot}), "seed_repeats": again == hot[0]}
    if cold[0] != cold[1]:
        status, detail = "warning", "two answers at temperature 0 differ: a run cannot be repeated exactly"
    elif len({*hot}) == 1:
        status = "warning"
        detail = f"could not be shown: {len(hot)} seeds at temperature {HOT:g} gave the same answer"
    elif again != hot[0]:
        status, detail = "warning", f"the same seed at temperature {HOT:g} gave another answer"
    else:
        status = "ok"
        detail = (
            f"temperature 0 repeats itself; at {HOT:g} other seeds differ and the same seed repeats itself"
        )
    remedy = (
        ""
        if status == "ok"
        else "Look whether a proxy or the server's own settings override `temperature` and `seed`."
    )
    return Finding(
        check="temperature and seed", status=status, detail=detail, remedy=remedy, figures={**figures}
    )


async def look_at_output_limit(asked: Asked) -> tuple[Finding, ...]:
    """Ask for more than the limit lets through."""
    schema = object_of({"say": {"enum": [LONG]}})
    try:
        reply = await asked.ask(f"Say: {LONG}", schema=schema, max_output_tokens=LIMIT)
    except ReplyBroken:
        raise
    except ReplyIncomplete:
        detail = f"a longer reply was cut at {LIMIT} tokens, and said to be cut"
        return (Finding(check="output limit", status="ok", detail=detail, figures={"limit": LIMIT}),)
    wrote = reply.usage.output_tokens
    figures = {"limit": LIMIT, "output_tokens": wrote}
    if wrote <= LIMIT:
        detail = f"could not be shown: the model ended by itself after {wrote} tokens"
        return (Finding(check="output limit", status="skipped", detail=detail, figures={**figures}),)
    return (
        Finding(
            check="output limit",
            status="bad",
            detail=f"the server wrote {wrote} tokens where {LIMIT} were allowed: it will ramble",
            remedy="Use the server's own address, without a proxy that drops the limit"
            " (`num_predict`, `max_tokens`).",
            figures={**figures},
        ),
    )
