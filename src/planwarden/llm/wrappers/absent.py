"""A model that is known but not opened: for commands that go through the run loop without asking a model."""

from __future__ import annotations

from planwarden.contracts.model import ModelIdentity
from planwarden.errors import ModelUnavailable
from planwarden.llm.service import LLMReply, LLMRequest, ModelHealth


class AbsentLLM:
    """Says which model it stands for; asking it is an error."""

    def __init__(self, identity: ModelIdentity) -> None:
        self._identity = identity

    @property
    def identity(self) -> ModelIdentity:
        """Say which model this stands for."""
        return self._identity

    async def complete(self, request: LLMRequest) -> LLMReply:
        """Refuse.

        Raises:
            ModelUnavailable: always.
        """
        asked = len(request.messages)
        raise ModelUnavailable(
            f"{self._identity.model} was not opened for this command, but was asked {asked} messages.",
            remedy="Use `planwarden resume RUN`.",
        )

    async def health(self) -> ModelHealth:
        """Say that nothing was looked at."""
        return ModelHealth(reachable=False, present=False, context_tokens=None, detail="not opened")

    async def aclose(self) -> None:
        """Hold nothing."""
