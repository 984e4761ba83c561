"""A model whose answer style was decided outside of it: by a setting or by measurement."""

from __future__ import annotations

from planwarden.contracts.model import AnswerStyle, ModelIdentity
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth


class StyledLLM:
    """Passes everything on; its identity says the style and why."""

    def __init__(self, inner: LLMService, *, style: AnswerStyle, because: str) -> None:
        """Wrap `inner`, which is closed with this service."""
        self._inner = inner
        self._style: AnswerStyle = style
        self._because = because

    @property
    def identity(self) -> ModelIdentity:
        """Say which model the wrapped service is, and how it answers."""
        told = {"answer_style": self._style, "answer_style_because": self._because}
        return self._inner.identity.model_copy(update=told)

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask the wrapped service."""
        return await self._inner.complete(request)

    async def health(self) -> ModelHealth:
        """Look at the wrapped service."""
        return await self._inner.health()

    async def aclose(self) -> None:
        """Close the wrapped service."""
        await self._inner.aclose()
