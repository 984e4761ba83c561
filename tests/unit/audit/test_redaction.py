"""Dossiers that can be handed on: no free text, or no personal data that has a form."""

from __future__ import annotations

import json
import time
from typing import Any, get_args

import pytest
from dossier_scenes import (
    SCENES,
    a_stage,
    a_step,
    carried_out,
    completed,
    parallel,
    waiting_for_the_plan,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from planwarden.audit.dossier import dossier_bytes
from planwarden.audit.page.dossier_page import dossier_page
from planwarden.audit.redaction.fields import FIELDS
from planwarden.audit.redaction.patterns import own_patterns
from planwarden.audit.redaction.personal import is_card_number, without_personal
from planwarden.audit.redaction.redact import NO_DIGEST, NOTICES, redact
from planwarden.audit.render import dossier_markdown
from planwarden.audit.timeline import timeline
from planwarden.contracts.dossier import Dossier, DossierApproval, RedactedDossier, RedactionKind
from planwarden.contracts.json_schema import schema_problems
from planwarden.contracts.task import MAX_PROMPT_CHARS, Task
from planwarden.contracts.value import Contract
from planwarden.errors import InputError
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import Stage, plan_of
from published import DOSSIER_SCHEMA, REDACTED_SCHEMA

pytestmark = pytest.mark.anyio

SECRET = "zqxj"
"""Stands in no name, code or word of ours."""


async def secretive() -> tuple[Stage, Dossier]:
    """Carry out a run whose every free text holds a secret."""
    stage = a_stage(f"{SECRET} stood at 125.55 [s1.1]. And {SECRET} 77 [s9.1].")
    plan = plan_of(
        a_step("finance.snapshot", reason=f"because of {SECRET}"),
        a_step("finance.broken", name="s2", fallback_tools=("notes.typed",), reason=SECRET),
    )
    task = Task(
        prompt=f"Tell me about {SECRET}",
        metadata={"note": {SECRET: [SECRET]}},
        data=(f"/home/{SECRET}/prices.csv",),
    )
    stage.agent_llm = FunctionLLM(
        lambda request: json.dumps({"text": SECRET}) if request.output_schema else f"{SECRET} 77 [s1.1]."
    )
    run_id = (await stage.orchestrator().route_task(task, plan)).run_id
    return stage, await stage.dossier(run_id)


@pytest.mark.requirement("HTM-8")
async def test_no_free_text_is_left_in_any_form_when_content_is_redacted() -> None:
    stage, dossier = await secretive()
    assert dossier_bytes(dossier).count(SECRET.encode()) > 10
    redacted = redact(dossier, "content")
    page = dossier_page(redacted.dossier, timeline(await stage.record.read(dossier.run_id)))
    for form in (redacted.model_dump_json(), dossier_markdown(redacted.dossier), page):
        assert SECRET not in form
    assert redacted.dossier.task.prompt == f"[redacted, {len(dossier.task.prompt)} characters]"
    assert redacted.dossier.answer is not None
    assert redacted.dossier.answer.unsupported_numbers[0] == "[redacted, 2 characters]"


@pytest.mark.requirement("HTM-8")
@pytest.mark.parametrize("name", list(SCENES))
async def test_structure_names_verdicts_and_chain_stay_when_content_is_redacted(name: str) -> None:
    dossier = (await SCENES[name][0]()).dossier
    redacted = redact(dossier, "content").dossier
    assert schema_problems(DOSSIER_SCHEMA, redacted.model_dump(mode="json")) == ()
    assert Dossier.model_validate_json(redacted.model_dump_json()) == redacted
    for kept in ("run_id", "status", "outcome_code", "head", "events", "adherence", "usage"):
        assert getattr(redacted, kept) == getattr(dossier, kept)
    plans = [each.decision and each.decision.plan for each in (redacted, dossier)]
    assert redacted.plan_digest == (dossier.plan_digest if plans[0] == plans[1] else None)
    assert [(call.id, call.tool, call.status, call.refusal) for call in redacted.calls] == [
        (call.id, call.tool, call.status, call.refusal) for call in dossier.calls
    ]
    assert [call.verdict and (call.verdict.verdict, call.verdict.rule) for call in redacted.calls] == [
        call.verdict and (call.verdict.verdict, call.verdict.rule) for call in dossier.calls
    ]
    assert [(each.by, each.decision, each.subject) for each in redacted.approvals] == [
        (each.by, each.decision, each.subject) for each in dossier.approvals
    ]
    assert [(each.kind, each.tool) for each in redacted.deviations] == [
        (each.kind, each.tool) for each in dossier.deviations
    ]


@pytest.mark.requirement("HTM-8")
async def test_a_digest_that_would_confirm_a_guess_goes_with_what_it_is_of() -> None:
    dossier = (await completed()).dossier
    (call,) = dossier.calls
    (hidden,) = redact(dossier, "content").dossier.calls
    assert call.result_digest is not None
    size = len(json.dumps(call.result))
    assert hidden.result == {"redacted": f"[redacted, {size} characters]"}
    assert (hidden.result_digest, hidden.idempotency_key) == (None, call.idempotency_key)
    assert {each.prompt_digest for each in redact(dossier, "content").dossier.exchanges} == {NO_DIGEST}
    (kept,) = redact(dossier, "personal").dossier.calls
    assert (kept.result, kept.result_digest, kept.idempotency_key) == (
        call.result,
        call.result_digest,
        call.idempotency_key,
    )


@pytest.mark.requirement("HTM-8")
@pytest.mark.parametrize("kind", ["content", "personal"])
async def test_the_digest_of_a_plan_goes_with_what_was_replaced_in_it_wherever_it_stands(
    kind: RedactionKind,
) -> None:
    scene = await waiting_for_the_plan()
    plain = with_reason(scene.dossier, "")
    kept = redact(plain, kind).dossier
    assert plain.plan_digest
    assert kept.plan_digest == kept.approvals[0].subject == plain.plan_digest
    assert plain.plan_digest in dossier_markdown(kept)
    telling = with_reason(scene.dossier, "write to ann@example.com")
    redacted = redact(telling, kind)
    page = dossier_page(redacted.dossier, scene.timeline)
    for form in (redacted.model_dump_json(), dossier_markdown(redacted.dossier), page):
        assert str(telling.plan_digest) not in form
    assert (redacted.dossier.plan_digest, redacted.dossier.approvals[0].subject) == (None, NO_DIGEST)


def with_reason(dossier: Dossier, reason: str) -> Dossier:
    """Give a dossier whose plan was made, and approved, with this reason of its first step."""
    assert dossier.decision
    assert dossier.decision.plan
    steps = (dossier.decision.plan.steps[0].model_copy(update={"reason": reason}),)
    plan = dossier.decision.plan.model_copy(update={"steps": steps})
    decision = dossier.decision.model_copy(update={"plan": plan})
    approved = DossierApproval(
        at=dossier.updated_at, by="ann", what="plan", subject=plan.digest(), decision="approved"
    )
    return dossier.model_copy(
        update={"decision": decision, "plan_digest": plan.digest(), "approvals": (approved,)}
    )


@pytest.mark.requirement("HTM-8")
async def test_the_name_of_a_tool_that_a_model_made_up_stays_only_if_it_is_a_name() -> None:
    dossier = (await SCENES["call refused"][0]()).dossier
    call = dossier.calls[0].model_copy(update={"tool": f"call {SECRET} at home", "arguments": {SECRET: 1}})
    redacted = redact(dossier.model_copy(update={"calls": (call,)}), "content")
    assert SECRET not in redacted.model_dump_json()
    assert redacted.dossier.calls[0].tool == "[redacted, 17 characters]"
    assert redact(dossier, "content").dossier.calls[0].tool == "mail.send"


def contracts_in(contract: type[BaseModel]) -> set[type[BaseModel]]:
    """Give every contract that a contract is made of, itself among them."""
    found: set[type[BaseModel]] = {contract}

    def look(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if annotation not in found:
                found.update({annotation, *contracts_in(annotation)})
            return
        for part in get_args(annotation):
            look(part)

    for field in contract.model_fields.values():
        look(field.annotation)
    return found


@pytest.mark.requirement("HTM-8")
def test_every_contract_of_a_dossier_says_what_its_fields_are() -> None:
    assert contracts_in(Dossier) == set(FIELDS)
    for contract, fields in FIELDS.items():
        named = f"{fields.structure} {fields.named} {fields.tools} {fields.opaque}".split()
        assert len(set(named)) == len(named)
        assert set(named) <= set(contract.model_fields)
        assert issubclass(contract, Contract)


FOUND = {
    "write to ann.lee+x@mail.example.co.uk, please": "write to [e-mail], please",
    "jürgen@müller.example": "[e-mail]",
    "IBAN DE89 3704 0044 0532 0130 00 is mine": "IBAN [IBAN] is mine",
    "GB82WEST12345698765432.": "[IBAN].",
    "card 4111 1111 1111 1111, or 378282246310005": "card [card number], or [card number]",
    "5500-0000-0000-0004": "[card number]",
    "from 192.168.0.17 and 2001:db8::ff00:42:8329": "from [IP address] and [IP address]",
    "http://10.0.0.1:8080/x": "http://[IP address]:8080/x",
    "call +49 170 1234567 or 0049-30-901820": "call [phone] or [phone]",
    "(555) 123-4567 and 555-123-4567": "[phone] and [phone]",
    "ring 030 901820.": "ring [phone].",
}
KEPT = (
    "IBM stood at 125.55 on 2026-01-01 at 12:30:45.",
    "2026-01-01T00:00:00.000001+00:00",
    "DE00 3704 3344 1532 1130 11",
    "4111 1111 1111 1112 and 1732400000000",
    "sha256:0123456789012345678901234567890123456789012345678901234567890123",
    "version 1.2.3, 999.1.1.1, std::vector, @home, s1.1",
    "1,000,000 and 0.0001234567 and 12345678",
    "01-02-2026 to 03-04-2026",
)


@pytest.mark.requirement("HTM-9")
@pytest.mark.parametrize(("text", "left"), list(FOUND.items()))
def test_personal_data_with_a_form_is_replaced_by_its_kind(text: str, left: str) -> None:
    assert without_personal(text) == left


@pytest.mark.requirement("HTM-9")
@pytest.mark.parametrize("text", KEPT)
def test_what_is_not_personal_data_stays(text: str) -> None:
    assert without_personal(text) == text


@pytest.mark.requirement("HTM-9")
@given(digits=st.text("0123456789", min_size=12, max_size=18), first=st.sampled_from("23456"))
def test_exactly_one_check_digit_makes_a_card_number(digits: str, first: str) -> None:
    numbers = [f"{first}{digits[1:]}{last}" for last in "0123456789"]
    assume(all(len(set(number)) > 1 for number in numbers))
    assert sum(map(is_card_number, numbers)) == 1


@pytest.mark.requirement("HTM-9")
async def test_personal_data_goes_from_every_place_also_from_keys_numbers_and_whoever_approved() -> None:
    dossier = (await SCENES["approved, then in doubt"][0]()).dossier
    (call, *_) = dossier.calls
    spoilt = call.model_copy(
        update={"arguments": {"to": ["ann@example.com"], "bob@example.com": 4111111111111111, "n": 7}}
    )
    redacted = redact(dossier.model_copy(update={"calls": (spoilt,)}), "personal").dossier
    assert redacted.calls[0].arguments == {"to": ["[e-mail]"], "[e-mail]": "[card number]", "n": 7}
    assert redacted.calls[0].idempotency_key is None
    assert [each.by for each in redacted.approvals] == ["[e-mail]"]
    assert redacted.head == dossier.head
    assert schema_problems(DOSSIER_SCHEMA, redacted.model_dump(mode="json")) == ()


@pytest.mark.requirement("HTM-9")
async def test_a_prompt_full_of_addresses_stays_within_the_length_of_a_prompt() -> None:
    dossier = (await completed()).dossier
    prompt = ("a@b.co " * MAX_PROMPT_CHARS)[:MAX_PROMPT_CHARS]
    task = dossier.task.model_copy(update={"prompt": prompt})
    redacted = redact(dossier.model_copy(update={"task": task}), "personal")
    assert RedactedDossier.model_validate_json(redacted.model_dump_json()) == redacted


@pytest.mark.requirement("HTM-9")
@pytest.mark.parametrize(
    "text", ["a" * 200_000, "1 " * 100_000, "a@" * 100_000, ":1" * 100_000, "+1-" * 66_000]
)
def test_searching_takes_time_in_proportion_to_the_text(text: str) -> None:
    def took(size: int) -> float:
        begun = time.process_time()
        without_personal(text[:size])
        return time.process_time() - begun

    assert took(len(text)) < 20 * took(len(text) // 4) + 1.0


@pytest.mark.requirement("HTM-10")
def test_own_patterns_replace_what_they_find_and_name_their_line() -> None:
    with own_patterns("# staff numbers\n\nP-\\d{4}\nProject (?i:falcon)\n", "own.txt") as own:
        assert own.replace("P-1234 works on Project FALCON") == "[pattern 3] works on [pattern 4]"
        assert own.replace("nothing") == "nothing"
        assert own.replace("\ud800 P-1234") == "? [pattern 3]"


@pytest.mark.requirement("HTM-10")
def test_a_pattern_that_would_take_python_years_takes_no_time() -> None:
    with own_patterns("^(([a-z])+.)+[A-Z]([a-z])+$\n(a*)*b\n", "own.txt") as own:
        assert own.replace("a" * 100_000) == "a" * 100_000


@pytest.mark.requirement("HTM-10")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ok\n(unclosed", "own.txt, line 2"),
        ("x*", "finds the empty text"),
        (r"(a)\1", "own.txt, line 1"),
        ("x" * 1_001, "longer than 1000"),
        ("# none\n", "holds 0 patterns"),
        ("x\n" * 101, "holds 101 patterns"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(InputError) as refused, own_patterns(text, "own.txt"):
        pass
    assert told in refused.value.message
    assert refused.value.remedy


@pytest.mark.requirement("HTM-11")
@pytest.mark.parametrize("kind", ["content", "personal"])
async def test_a_redacted_dossier_says_so_in_every_form_and_passes_for_no_whole_one(kind: Any) -> None:
    scene = await parallel()
    before = dossier_bytes(scene.dossier)
    redacted = redact(scene.dossier, kind)
    document = redacted.model_dump(mode="json")
    assert (set(document), document["redacted"]) == ({"redacted", "dossier"}, kind)
    assert schema_problems(REDACTED_SCHEMA, document) == ()
    assert schema_problems(DOSSIER_SCHEMA, document)
    assert NOTICES[redacted.redacted] in dossier_markdown(redacted.dossier, notice=NOTICES[kind])
    assert NOTICES[redacted.redacted] in dossier_page(redacted.dossier, scene.timeline, notice=NOTICES[kind])
    assert dossier_bytes(scene.dossier) == before


@pytest.mark.requirement("HTM-9")
async def test_own_patterns_work_beside_the_known_forms() -> None:
    stage = a_stage()
    run_id = await carried_out(stage, a_step("finance.snapshot"), prompt="P-1234 asks ann@example.com")
    with own_patterns("P-\\d{4}", "own.txt") as own:
        redacted = redact(await stage.dossier(run_id), "personal", own.replace)
    assert redacted.dossier.task.prompt == "[pattern 1] asks [e-mail]"
