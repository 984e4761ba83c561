"""From a dossier to one that can be handed on. Pure.

Everything is free text unless `fields` says otherwise, so that what is added to a dossier later is hidden
until somebody decides that it need not be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TypeVar, cast

from annotated_types import MaxLen

from planwarden.audit.redaction.fields import FIELDS, Fields
from planwarden.audit.redaction.personal import is_card_number, without_personal
from planwarden.contracts.dossier import Dossier, DossierCall, DossierExchange, RedactedDossier, RedactionKind
from planwarden.contracts.plan import PlannerPlan
from planwarden.contracts.value import Contract, Json

Replace = Callable[[str], str]
AnyContract = TypeVar("AnyContract", bound=Contract)

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,63}")
NO_DIGEST = "sha256:" + "0" * 64
"""Stands where a digest has to stand that would tell too much."""
NOTICES: dict[RedactionKind, str] = {
    "content": "Redacted: free text is replaced by its length. Names, verdicts, times, the hash chain stay.",
    "personal": "Redacted: what looks like personal data is replaced. What has no form of its own may stay.",
}


def redact(dossier: Dossier, kind: RedactionKind, own: Replace | None = None) -> RedactedDossier:
    """Replace parts of a dossier.

    Args:
        dossier: whole.
        kind: `content` replaces every free text, `personal` what looks like personal data.
        own: replaces what the user's own patterns find, before everything else; under `personal` only.
    """
    if kind == "content":
        return RedactedDossier(redacted=kind, dossier=_contents(dossier))

    def search(text: str) -> str:
        return without_personal(own(text) if own is not None else text)

    return RedactedDossier(redacted=kind, dossier=_searched(dossier, search))


def _contents(part: AnyContract) -> AnyContract:
    fields = FIELDS.get(type(part), Fields())
    kept = {*fields.structure.split(), *fields.named.split()}
    changed: dict[str, object] = {}
    for name in type(part).model_fields:
        value = cast("object", getattr(part, name))
        if name in fields.opaque.split():
            changed[name] = _hidden_json(value, keys=name == "arguments" and _was_checked(part))
        elif name in fields.tools.split() and isinstance(value, str):
            changed[name] = value if _NAME.fullmatch(value) else _hidden(value)
        elif name not in kept:
            changed[name] = _hidden_value(value)
    return _without_telling_digests(part, part.model_copy(update=changed))


def _was_checked(part: Contract) -> bool:
    """Say whether a tool's schema let these arguments through: their keys are the tool's own, then."""
    return isinstance(part, DossierCall) and part.id is not None


def _hidden_value(value: object) -> object:
    match value:
        case str():
            return _hidden(value)
        case Contract():
            return _contents(value)
        case tuple():
            return tuple(_hidden_value(each) for each in cast("tuple[object, ...]", value))
        case dict():
            return {key: _hidden_value(each) for key, each in cast("dict[str, object]", value).items()}
        case _:
            return value


def _hidden(text: str) -> str:
    if not text:
        return text
    return f"[redacted, {len(text)} character{'' if len(text) == 1 else 's'}]"


def _hidden_json(value: Json, *, keys: bool) -> Json:
    """Hide a JSON value; an object stays one, its keys only where a schema checked them."""
    if isinstance(value, dict):
        inner = cast("dict[str, Json]", value)
        if keys:
            return {key: _hidden_json(each, keys=False) for key, each in inner.items()}
        return {"redacted": _hidden(json.dumps(inner, ensure_ascii=False))} if inner else {}
    if value is None:
        return None
    return _hidden(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _searched(part: AnyContract, search: Replace) -> AnyContract:
    structure = FIELDS.get(type(part), Fields()).structure.split()
    changed: dict[str, object] = {}
    for name, field in type(part).model_fields.items():
        if name not in structure:
            limit = next((each.max_length for each in field.metadata if isinstance(each, MaxLen)), None)
            changed[name] = _searched_value(cast("object", getattr(part, name)), search, limit)
    return _without_telling_digests(part, part.model_copy(update=changed))


def _searched_value(value: object, search: Replace, limit: int | None = None) -> object:
    match value:
        case str():
            return search(value)[:limit]
        case Contract():
            return _searched(value, search)
        case tuple() | list():
            found = [_searched_value(each, search) for each in cast("tuple[object, ...]", value)]
            return found if isinstance(value, list) else tuple(found)
        case dict():
            items = cast("dict[str, object]", value).items()
            return {search(key): _searched_value(each, search) for key, each in items}
        case int() if not isinstance(value, bool) and is_card_number(str(value)):
            return "[card number]"
        case _:
            return value


def _without_telling_digests(before: AnyContract, after: AnyContract) -> AnyContract:
    """Leave out digests over what was replaced: there is no nonce in them, and who guesses it could tell."""
    gone: dict[str, object] = {}
    if isinstance(before, DossierCall) and isinstance(after, DossierCall):
        gone |= {"result_digest": None} if after.result != before.result else {}
        gone |= {"idempotency_key": None} if after.arguments != before.arguments else {}
    elif isinstance(before, DossierExchange) and isinstance(after, DossierExchange):
        gone |= {"prompt_digest": NO_DIGEST} if after.exchange != before.exchange else {}
    elif isinstance(before, Dossier) and isinstance(after, Dossier):
        gone |= _without_plan_digests(after) if _plan_of(after) != _plan_of(before) else {}
    return after.model_copy(update=gone)


def _plan_of(dossier: Dossier) -> PlannerPlan | None:
    return dossier.decision.plan if dossier.decision else None


def _without_plan_digests(dossier: Dossier) -> dict[str, object]:
    """Leave out the plan's digest, also where somebody approved the plan by it."""
    return {
        "plan_digest": None,
        "approvals": tuple(
            each.model_copy(update={"subject": NO_DIGEST}) if each.what == "plan" else each
            for each in dossier.approvals
        ),
    }
