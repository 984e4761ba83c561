"""A model that is not asked twice: `model` and `fused` put the same question; time is measured elsewhere."""

from __future__ import annotations

from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelError
from planwarden.llm.service import LLMReply, LLMRequest, LLMService, ModelHealth


class RememberingLLM:
    """Passes each new question on, and gives the same reply, or the same failure, to the same one again."""

    def __init__(self, inner: LLMService) -> None:
        """Wrap a service; whoever opened it closes it."""
        self._inner = inner
        self._said: dict[str, LLMReply | ModelError] = {}

    @property
    def identity(self) -> ModelIdentity:
        """Say which model the wrapped service is."""
        return self._inner.identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Ask once. Errors: see `LLMService.complete`."""
        key = repr(request)
        if key not in self._said:
            try:
                self._said[key] = await self._inner.complete(request)
            except ModelError as error:
                self._said[key] = error
        said = self._said[key]
        if isinstance(said, ModelError):
            raise said
        return said

    async def health(self) -> ModelHealth:
        """Look at the wrapped service."""
        return await self._inner.health()

    async def aclose(self) -> None:
        """Leave the wrapped service open."""
