"""The JSON Schema of one request's replies: names as enums, place by place. Pure.

What servers' converters to grammars take: `anyOf`, `enum`, `$ref`, `prefixItems` of a fixed length (llama.cpp
makes a tuple of `prefixItems` and knows no shorter one), and no `pattern`.
"""

from __future__ import annotations

from typing import cast

from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json
from planwarden.planning.notation.offer import Offer

MAX_REASON_CHARS = 60


def wire_schema(offer: Offer, *, with_reason: bool = False) -> JsonSchema:
    """Make the schema of what an offer allows to be written; something must be offered.

    Args:
        offer: tools, limits, ways out.
        with_reason: the model writes why, after the plan.
    """
    lengths = range(1, offer.max_items + 1) if offer.tools else range(0)
    places = [f"p{place}" for place in lengths]
    plans: list[Json] = [_tuple([{"enum": list(offer.ways_out.names)}])] if offer.ways_out.names else []
    plans += [_tuple([{"$ref": f"#/$defs/{name}"} for name in places[:length]]) for length in lengths]
    properties: dict[str, Json] = {"plan": plans[0] if len(plans) == 1 else {"anyOf": plans}}
    if with_reason:
        properties["why"] = {"type": "string", "maxLength": MAX_REASON_CHARS}
    schema: JsonSchema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    if places:
        schema["$defs"] = cast(
            "Json", {name: {"enum": list(offer.items(place))} for place, name in enumerate(places)}
        )
    return schema


def _tuple(parts: list[Json]) -> Json:
    return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
