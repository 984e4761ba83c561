"""Withholding payloads from a bundled run: what tells too much is left out, its digest stays. Pure.

A payload is withheld whole, with its nonce: nobody can test a guess against the digest that is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import cast

from planwarden.audit.redaction.personal import is_card_number, without_personal
from planwarden.contracts.dossier import RedactionKind
from planwarden.contracts.facts import ERASED
from planwarden.journal.chain import Payload
from planwarden.journal.stored import StoredRun

WITHHELD = Payload(nonce=None, body=None, withheld=True)
_WITHOUT_TEXT = frozenset(("run_taken_over", "step_started", "cancel_requested"))
"""Kinds whose payload holds names, ids and who decided: what `content` leaves in a dossier too."""
_MADE = re.compile(r"(sha256:)?[0-9a-f]{64}|00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""Digests, keys made of them and places in traces: known by their form, for a tool may call anything so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """What a bundle says of itself: what was left out, and how many payloads that are."""

    kind: RedactionKind
    withheld: int

    def told(self) -> dict[str, object]:
        """Say it as manifest and signature do."""
        return {"kind": self.kind, "withheld": self.withheld}


def withhold(run: StoredRun, kind: RedactionKind) -> StoredRun:
    """Leave payloads out of a run; erased ones are gone already, and stay marked as erased.

    Args:
        run: as it is stored.
        kind: `content` leaves out every payload that holds free text or a plain digest of some, `personal`
            those in which something looks like personal data, and those that hold a plain digest of it;
            tenant and conversation beside the record are searched for it too.
    """
    search = without_personal if kind == "personal" else _as_it_is
    tenant = search(run.tenant)
    telling = _telling(run, kind)
    if kind == "personal":
        telling |= set(_confirming(run, telling, tenant_told=tenant == run.tenant))
    payloads = {seq: WITHHELD if seq in telling else payload for seq, payload in run.payloads.items()}
    conversation = None if run.conversation is None else search(run.conversation)
    return replace(run, tenant=tenant, conversation=conversation, payloads=payloads)


def withheld_in(run: StoredRun) -> int:
    """Count the payloads of a run that are withheld."""
    return sum(payload.withheld for payload in run.payloads.values())


def withholding_problems(run: StoredRun, redacted: Redacted | None) -> Iterator[str]:
    """Say what a bundle withholds without saying so. A digest alone shows only that something stood there."""
    count = withheld_in(run)
    if redacted is None and count:
        yield f"{count} of its payloads are left out, and the signed manifest does not say that any are"


def _telling(run: StoredRun, kind: RedactionKind) -> set[int]:
    """Find the payloads that tell something by what they say themselves."""
    kinds = {link.seq: link.kind for link in run.links}
    return {
        seq
        for seq, payload in run.payloads.items()
        if payload.body is not None and _tells(payload.body, kinds.get(seq, ""), kind)
    }


def _tells(body: bytes, fact: str, kind: RedactionKind) -> bool:
    if kind == "content":
        return fact not in _WITHOUT_TEXT
    said = _said(body)
    return not said or _is_personal(said, without_personal)


def _confirming(run: StoredRun, telling: set[int], *, tenant_told: bool) -> Iterator[int]:
    """Find the payloads with a digest, without a nonce, of what stands in a payload that is withheld.

    Whoever guesses what was withheld could tell by it that the guess is right.
    """
    withheld = [link for link in run.links if link.seq in telling]
    plan_withheld = any(link.kind == "plan_decided" for link in withheld)
    asked = [_call_asked(run, link.seq) for link in withheld if link.kind == "approval_asked"]
    for link in run.links:
        said = _said(run.payloads[link.seq].body)
        match link.kind:
            case "plan_approval_asked" | "plan_approval_given":
                confirms = plan_withheld
            case "approval_given":
                confirms = any(call in (None, said.get("call_id")) for call in asked)
            case _:  # the summary that is left of an erased run names the tenant
                confirms = link.kind == ERASED and not tenant_told
        if said and confirms:
            yield link.seq


def _call_asked(run: StoredRun, seq: int) -> object:
    """Give the id of the call that somebody was asked about; None where it cannot be read."""
    call = _said(run.payloads[seq].body).get("call")
    return cast("dict[str, object]", call).get("id") if isinstance(call, dict) else None


def _said(body: bytes | None) -> dict[str, object]:
    """Read a payload; empty where it is gone or no JSON object."""
    try:
        value: object = json.loads(body.decode("utf-8", "surrogatepass")) if body is not None else None
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _is_personal(value: object, search: Callable[[str], str]) -> bool:
    match value:
        case str():
            return _MADE.fullmatch(value) is None and search(value) != value
        case dict():
            items = cast("dict[str, object]", value).items()
            return any(search(key) != key or _is_personal(each, search) for key, each in items)
        case list():
            return any(_is_personal(each, search) for each in cast("list[object]", value))
        case int() if not isinstance(value, bool):
            return is_card_number(str(value))
        case _:
            return False


def _as_it_is(text: str) -> str:
    return text
