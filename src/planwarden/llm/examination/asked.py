"""One examination under way: what is wanted of the model, and every reply it gave so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from planwarden.contracts.model import Message
from planwarden.contracts.specs import JsonSchema, ToolSpec
from planwarden.errors import ModelUnavailable
from planwarden.llm.service import LLMReply, LLMRequest, LLMService


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminationOptions:
    """What the model is used for."""

    prefix: str
    """Of its environment variables, for the lines that mend."""
    num_ctx: int
    max_output_tokens: int
    timeout_s: float
    """For one question, as for any request of that role."""
    needs_probabilities: bool = False
    """Whether confidence is read off its tokens."""
    thorough: bool = False
    """Fill the context whatever it costs."""
    full_context_s: float = 5.0
    """Without `thorough`, the context is filled only where that takes less than this, in seconds."""

    def line(self, name: str, value: object) -> str:
        """Give the line that sets one of the role's variables."""
        return f"export {self.prefix}__{name}={value}"


@dataclass(slots=True, kw_only=True)
class Asked:
    """Asks, and keeps the replies."""

    llm: LLMService
    options: ExaminationOptions
    replies: list[LLMReply] = field(default_factory=list[LLMReply])

    async def ask(
        self,
        prompt: str,
        *,
        schema: JsonSchema | None = None,
        tools: tuple[ToolSpec, ...] = (),
        max_output_tokens: int = 96,
        temperature: float = 0.0,
        seed: int = 7,
        top_logprobs: int = 0,
    ) -> LLMReply:
        """Ask once.

        Raises:
            ModelError: see `LLMService.complete`.
        """
        request = LLMRequest(
            messages=(Message(role="user", content=prompt),),
            output_schema=schema,
            tools=tools,
            max_output_tokens=max_output_tokens,
            temperature=temperature,
            seed=seed,
            top_logprobs=top_logprobs,
            timeout_s=self.options.timeout_s,
        )
        reply = await self.llm.complete(request)
        if reply.answered_by is not None:
            raise ModelUnavailable(
                f"{self.llm.identity.model} did not answer: {reply.answered_by.model} stood in for it.",
                remedy="Look at the model server's log; what follows would be about the stand-in.",
            )
        self.replies.append(reply)
        return reply


def object_of(properties: dict[str, JsonSchema]) -> JsonSchema:
    """Give the schema of an object that has exactly these properties."""
    return {
        "type": "object",
        "properties": {**properties},
        "required": [*properties],
        "additionalProperties": False,
    }
