"""Opening a model by pydantic-ai's name for it; the library is imported only here and below."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from planwarden.contracts.clock import Clock
from planwarden.errors import SettingsRejected, installing

if TYPE_CHECKING:  # an optional dependency, and half a second of imports
    from planwarden.llm.library_model.service import LibraryLLM


def open_library_model(
    model: str,
    *,
    clock: Clock,
    api_key: str = "",
    base_url: str | None = None,
    setting: Callable[[str], str],
    chosen_because: str = "",
) -> LibraryLLM:
    """Open a model such as `anthropic:claude-sonnet-4-5`; nothing is asked yet.

    Without key or base URL the library reads the provider's own environment variables; `setting` gives the
    user's name of a setting, for messages.

    Raises:
        SettingsRejected: the library, or the provider's, is not installed; no such model or no key for it.
    """
    try:
        from pydantic_ai.exceptions import UserError  # noqa: PLC0415 - see above

        from planwarden.llm.library_model.service import LibraryLLM, infer  # noqa: PLC0415 - see above
    except ImportError as error:
        raise SettingsRejected(
            f"{setting('PROVIDER')} is pydantic-ai, but that library is not installed ({error}).",
            remedy=f"Run {installing('providers')}.",
        ) from error
    if ":" not in model:
        raise SettingsRejected(
            f"{setting('MODEL')} is {model!r}, which names no provider.",
            remedy="Write provider:name, for example anthropic:claude-sonnet-4-5 or openai:gpt-5-mini.",
        )
    try:
        inferred = infer(model, api_key=api_key, base_url=base_url)
    except ImportError as error:
        raise SettingsRejected(
            f"{setting('MODEL')} is {model!r}, and its provider's library is not installed: {error}",
            remedy=f"Run `pip install 'pydantic-ai-slim[{model.partition(':')[0]}]'`.",
        ) from error
    except (UserError, ValueError, TypeError) as error:
        raise SettingsRejected(
            f"{setting('MODEL')} is {model!r}, which pydantic-ai does not open: {error}",
            remedy=f"Mend the name, or set {setting('API_KEY')} (and {setting('BASE_URL')} only where the"
            " provider takes one).",
        ) from error
    return LibraryLLM(
        inferred, name=model, clock=clock, api_key=api_key, setting=setting, chosen_because=chosen_because
    )
