"""Every error of pydantic-ai turned into the error that names who must react."""

from __future__ import annotations

from pydantic_ai import exceptions as library

from planwarden.errors import (
    ModelError,
    ModelUnavailable,
    PromptTooLong,
    ReplyInvalid,
    ToolCallingUnsupported,
)
from planwarden.llm.openai_chat.refusals import LONGER_CONTEXT, Server, is_about_tools, is_too_long, unreached
from planwarden.llm.service import ModelNotReady


def failure(error: Exception, server: Server, *, tools: bool = False) -> ModelError:
    """Make the typed error; `tools` says whether any were offered."""
    match error:
        case library.ModelAPIError():
            return _of_provider(error, server, tools=tools)
        case library.UserError() if tools and is_about_tools(str(error)):
            return _no_tools(server, str(error))
        case library.UserError():
            return ReplyInvalid(
                f"{server.model} cannot be asked so: {server.said(error)}.",
                remedy="Use another model, or the openai provider where it has an OpenAI-compatible server.",
            )
        case _:  # each of some thirty providers' libraries may let something of its own through
            return ReplyInvalid(
                f"The exchange with {server.model} failed: {type(error).__name__}: {server.said(error)}.",
                remedy="Try again; if it stays, update pydantic-ai.",
            )


def _of_provider(error: library.ModelAPIError, server: Server, *, tools: bool) -> ModelError:
    said = server.said(error)
    match error:
        case library.ModelContextWindowExceededError() | library.ModelRequestRejectedError() if _too_long(
            error
        ):
            return PromptTooLong(f"The prompt does not fit the context: {said}.", remedy=LONGER_CONTEXT)
        case library.ModelAuthenticationError():
            return ModelUnavailable(
                f"{server.endpoint} refused the key: {said}.",
                remedy=f"Set {server.key_variable} to a key that this server takes.",
            )
        case library.ModelNotFoundError():
            return ModelUnavailable(
                f"{server.endpoint} does not have {server.model}: {said}.", remedy="Correct MODEL."
            )
        case library.ModelQuotaExceededError():
            return ModelUnavailable(
                f"{server.endpoint} says that the quota is used up: {said}.",
                remedy="Raise it, or use another model.",
            )
        case library.ModelConnectionError():
            return unreached(error.__cause__ or error, server)
        case library.ModelRequestRejectedError() if tools and is_about_tools(str(error)):
            return _no_tools(server, str(error))
        case library.ModelRequestRejectedError():
            return ReplyInvalid(
                f"{server.endpoint} refused the request: {said}.",
                remedy="Look at the prompt and the schema in the dossier; a setting may not suit the model.",
            )
        case _:
            return ModelNotReady(
                f"{server.endpoint} could not run {server.model}: {said}.",
                remedy="Wait and try again.",
                retry_after_s=error.retry_after,
            )


def _too_long(error: library.ModelAPIError) -> bool:
    known = isinstance(error, library.ModelContextWindowExceededError)
    return known or is_too_long(str(error))  # the library knows some clouds' words, not llama.cpp's


def _no_tools(server: Server, said: str) -> ToolCallingUnsupported:
    return ToolCallingUnsupported(
        f"{server.model} takes no tools: {server.said(said)}.", remedy="Use directed execution."
    )
