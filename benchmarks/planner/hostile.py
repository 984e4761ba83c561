"""Models that no plan should be lost to: real services, seeded, that say nothing of any worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import cast

from planwarden.contracts.model import ModelIdentity, ModelUsage
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Json
from planwarden.errors import ReplyInvalid
from planwarden.llm.service import LLMReply, LLMRequest, ModelHealth, TokenAlternative, TokenChoice

Says = Callable[[Random, LLMRequest], str]


class HostileLLM:
    """Answers every request by drawing lots."""

    def __init__(self, name: str, says: Says, seed: int, poses_as: ModelIdentity | None = None) -> None:
        """Take how it answers; the same seed draws the same lots.

        Args:
            name: of this kind of hostility.
            says: gives an answer.
            seed: of the lots.
            poses_as: a model whose word is known to count; None for one that nobody ever measured.
        """
        self._says = says
        self._random = Random(seed)
        own = ModelIdentity(provider="hostile", model=name, chosen_because="to try what becomes of a plan")
        self._identity = own if poses_as is None else poses_as

    @property
    def identity(self) -> ModelIdentity:
        """Say which kind of hostility this is."""
        return self._identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Draw an answer, with token probabilities that mean nothing either.

        Raises:
            ReplyInvalid: the answer is empty, which every real service refuses.
        """
        text = self._says(self._random, request)
        if not text:
            raise ReplyInvalid(f"{self._identity.model} said nothing.", remedy="Nothing helps.")
        prompt = sum(len(message.content.split()) for message in request.messages)
        usage = ModelUsage(prompt_tokens=prompt, output_tokens=len(text), latency_s=0.0)
        return LLMReply(text=text, usage=usage, tokens=self._tokens(text, request.top_logprobs))

    async def health(self) -> ModelHealth:
        """Claim to be well."""
        return ModelHealth(reachable=True, present=True, context_tokens=None, detail="hostile")

    async def aclose(self) -> None:
        """Hold nothing, give nothing back."""

    def _tokens(self, text: str, alternatives: int) -> tuple[TokenChoice, ...]:
        return tuple(
            TokenChoice(
                text=letter,
                logprob=-self._random.expovariate(1.0),
                alternatives=tuple(
                    TokenAlternative(text=chr(self._random.randrange(32, 127)), logprob=-float(place))
                    for place in range(alternatives)
                ),
            )
            for letter in text
        )


def random_bytes(random: Random, request: LLMRequest) -> str:
    """Say up to 200 random bytes, as a server that decodes them would hand them on."""
    return random.randbytes(random.randrange(1, min(200, request.max_output_tokens) + 1)).decode(
        "utf-8", "replace"
    )


def random_names(random: Random, request: LLMRequest) -> str:
    """Say something that keeps to the schema of the request and means nothing; noise where there is none."""
    if request.output_schema is None:
        return random_bytes(random, request)
    return json.dumps(_instance(request.output_schema, request.output_schema, random), separators=(",", ":"))


def nothing(random: Random, request: LLMRequest) -> str:  # noqa: ARG001 - as all that say something
    """Say nothing at all."""
    return ""


HOSTILE: Mapping[str, Says] = {
    "random bytes": random_bytes,
    "random valid names": random_names,
    "nothing": nothing,
}


def _instance(schema: Mapping[str, Json], root: JsonSchema, random: Random) -> Json:
    """Draw a value that a schema allows: of objects, lists, enums, choices, texts and numbers."""
    if "$ref" in schema:
        return _instance(_found(root, str(schema["$ref"])), root, random)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return random.choice(cast("list[Json]", schema["enum"]))
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return _instance(random.choice(cast("list[dict[str, Json]]", choices)), root, random)
    return _of_type(schema, root, random)


def _of_type(schema: Mapping[str, Json], root: JsonSchema, random: Random) -> Json:
    match schema.get("type"):
        case "object":
            parts = cast("dict[str, dict[str, Json]]", schema.get("properties") or {})
            wanted = cast("list[str]", schema.get("required") or [])
            kept = [name for name in parts if name in wanted or random.randrange(2)]
            return {name: _instance(parts[name], root, random) for name in kept}
        case "array" if "prefixItems" in schema:
            places = cast("list[dict[str, Json]]", schema["prefixItems"])
            return [_instance(place, root, random) for place in places]
        case "array":
            items = cast("dict[str, Json]", schema.get("items") or {})
            least = cast("int", schema.get("minItems", 0))
            most = max(least, min(cast("int", schema.get("maxItems", 4)), 6))
            return [_instance(items, root, random) for _ in range(random.randint(least, most))]
        case "integer" | "number":
            return random.randrange(100)
        case _:
            return "".join(chr(random.randrange(97, 123)) for _ in range(8))


def _found(root: JsonSchema, reference: str) -> Mapping[str, Json]:
    """Follow a reference within the schema, like `#/$defs/step`."""
    at: Json = cast("Json", root)
    for part in reference.removeprefix("#/").split("/"):
        at = cast("dict[str, Json]", at)[part]
    return cast("dict[str, Json]", at)
