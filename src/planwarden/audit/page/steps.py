"""Each step with its calls: what was wanted, what plan and policy said, what came of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from markupsafe import Markup

from planwarden.audit.page.amounts import seconds
from planwarden.audit.page.answer import answer_claims
from planwarden.audit.page.element import badge, code, joined, section, short_digest, tag, value
from planwarden.audit.page.plan import facts
from planwarden.audit.page.tones import BAD, DOUBT, OK, WAIT, call_tone, step_state
from planwarden.contracts.dossier import Dossier, DossierCall, DossierStep
from planwarden.contracts.value import Json
from planwarden.contracts.verdict import Verdict


def steps_section(dossier: Dossier) -> Markup:
    """Show every step of the plan with every call attempt."""
    if not dossier.steps:
        return section("steps", "Steps and calls", tag("p", "No step was begun."))
    return section("steps", "Steps and calls", *(_step(dossier, step) for step in dossier.steps))


def _step(dossier: Dossier, step: DossierStep) -> Markup:
    title = tag("h3", f"{step.id} · {step.agent} ", badge(*reversed(step_state(dossier, step.id))))
    calls = [call for call in dossier.calls if call.step == step.id]
    return tag(
        "article",
        title,
        *_course(step),
        *(_call(call) for call in calls),
        None if calls else tag("p", "No tool was called.", class_="note"),
        _answer(dossier, step),
        id=f"step-{step.id}",
        class_="stepcard",
    )


def _course(step: DossierStep) -> Iterator[Markup]:
    if step.fell:
        yield tag(
            "p", f"Began in {step.execution} execution and went on directed: {step.fell}", class_="note"
        )
    elif step.execution == "free":
        yield tag("p", "Free execution: the model asked for its calls itself.", class_="note")
    if step.failure_code:
        yield tag("p", badge(step.failure_code, BAD), " ", step.failure_message)


def _answer(dossier: Dossier, step: DossierStep) -> Markup | None:
    if step.answer is None or step.answer == dossier.answer:
        return None
    claims = answer_claims(step.answer, dossier.calls)
    return tag("details", tag("summary", "What the step answered"), claims)


def _call(call: DossierCall) -> Markup:
    tone = call_tone(call)
    place = f"{call.id} " if call.id else "refused before it had a place: "
    why = call.refusal or call.failure
    word = f"{call.status.replace('_', ' ')}{f': {why}' if why else ''}"
    title = tag("h4", place, code(call.tool), " ", badge(word, tone))
    return tag(
        "div",
        title,
        facts(tuple(_facts(call))),
        id=f"call-{call.id}" if call.id else None,
        class_=f"attempt {tone}",
    )


def _facts(call: DossierCall) -> Iterator[tuple[str, Markup]]:
    if call.verdict is not None:
        yield "verdict", _verdict(call.verdict)
    if call.role is not None:
        attempt = f", attempt {call.attempt}" if call.attempt > 1 else ""
        took = f", took {seconds(call.duration_s)}" if call.duration_s is not None else ""
        yield "planned as", joined((f"{call.role}{attempt}{took}",))
    arguments = value(pretty(call.arguments), "arguments") if call.arguments else tag("span", "none")
    yield "arguments", arguments
    if call.message:
        yield "message", value(call.message, "message")
    if call.result_digest is not None:
        result = call.result if isinstance(call.result, str) else pretty(call.result)
        digest = tag("span", "digest ", short_digest(call.result_digest), class_="note")
        yield "result", joined((value(result, "result"), digest))
    if call.settled_by:
        yield "said by", joined((call.settled_by,))
    if call.idempotency_key:
        yield "key to the tool", short_digest(call.idempotency_key)


def _verdict(verdict: Verdict) -> Markup:
    tone = {"allowed": OK, "denied": BAD, "needs_approval": WAIT}.get(verdict.verdict, DOUBT)
    said = badge(verdict.verdict.replace("_", " "), tone)
    return joined((said, " by rule ", code(verdict.rule), f": {verdict.reason}" if verdict.reason else ""))


def pretty(document: Json) -> str:
    """Write JSON for people; a short one on one line."""
    flat = json.dumps(document, ensure_ascii=False)
    return flat if len(flat) <= 100 else json.dumps(document, ensure_ascii=False, indent=2)
