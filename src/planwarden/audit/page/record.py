"""Who decided what, how it departed from the plan, the models and their words, the hash chain. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from markupsafe import Markup

from planwarden.audit.page.amounts import counted, moment, seconds
from planwarden.audit.page.element import badge, code, joined, section, short_digest, table, tag, value
from planwarden.audit.page.plan import facts
from planwarden.audit.page.steps import pretty
from planwarden.audit.page.tones import BAD, IDLE, OK
from planwarden.audit.render import no_deviation, not_opened
from planwarden.contracts.dossier import Dossier, DossierApproval, DossierExchange
from planwarden.contracts.model import ModelIdentity


def approvals_section(dossier: Dossier) -> Markup | None:
    """Show what people decided; None where nobody was asked."""
    if not dossier.approvals:
        return None
    rows = [
        (moment(each.at), each.by, each.what, _subject(each), badge(each.decision, _tone(each.decision)))
        for each in dossier.approvals
    ]
    head = ("at", "by", "about", "which", "decision")
    shown = table(counted(len(rows), "decision"), head, rows)
    note = tag("p", "`by` is what was typed: the record does not prove who sat there.", class_="note")
    return section("people", "Who decided what", shown, note)


def _tone(decision: str) -> str:
    return {"approved": OK, "done": OK, "denied": BAD}.get(decision, IDLE)


def _subject(approval: DossierApproval) -> Markup:
    match approval.what:
        case "call" | "outcome":
            return tag("a", approval.subject, href=f"#call-{approval.subject}")
        case "plan":
            return joined(("the plan ", short_digest(approval.subject)))
        case "cancel":
            return joined(("the run",))


def deviations_section(dossier: Dossier) -> Markup:
    """Show how the run departed from its plan."""
    title = "Deviations"
    if not dossier.deviations:
        return section("deviations", title, tag("p", no_deviation(dossier)))
    rows = [
        (
            tag("a", str(each.seq), href=f"#event-{each.seq}"),
            each.kind.replace("_", " "),
            each.step or "–",
            code(each.tool) if each.tool else "–",
            value(each.detail) if each.detail else "–",
        )
        for each in dossier.deviations
    ]
    head = ("event", "kind", "step", "tool", "detail")
    return section("deviations", title, table(counted(len(rows), "departure"), head, rows))


def models_section(dossier: Dossier) -> Markup:
    """Show which models worked, what they cost, and every exchange with them."""
    named = [("planner", dossier.planner), ("agents", dossier.agents)]
    named += [(f"agent {name}", identity) for name, identity in sorted(dossier.agent_models.items())]
    rows = [(role, *_identity(identity)) for role, identity in named]
    head = ("role", "model", "provider", "digest", "chosen because")
    planning = [each for each in dossier.exchanges if each.step is None]
    working = [each for each in dossier.exchanges if each.step is not None]
    tokens = [_cost("planner", planning), _cost("agents", working)]
    tokens.append(_cost("together", dossier.exchanges))
    cost_head = ("role", "exchanges", "tokens in", "of them cached", "tokens out", "time")
    return section(
        "models",
        "Models",
        table("As the run pins them", head, rows),
        tag("p", badge("not there", BAD), " ", not_opened(dossier.not_opened))
        if dossier.not_opened
        else None,
        table("What they cost", cost_head, tokens),
        tag("h3", "Every exchange, word for word") if dossier.exchanges else None,
        *(_exchange(each) for each in dossier.exchanges),
    )


def _identity(identity: ModelIdentity) -> Iterator[str]:
    yield code(identity.model)
    yield joined((identity.provider, f" at {identity.endpoint}" if identity.endpoint else ""))
    yield short_digest(identity.digest)
    yield identity.chosen_because or "–"


def _cost(role: str, exchanges: Iterable[DossierExchange]) -> tuple[str, ...]:
    usages = [each.exchange.usage for each in exchanges]
    return (
        role,
        f"{len(usages)}",
        f"{sum(each.prompt_tokens for each in usages):,}",
        f"{sum(each.cached_tokens for each in usages):,}",
        f"{sum(each.output_tokens for each in usages):,}",
        seconds(sum(each.latency_s for each in usages)),
    )


def _exchange(each: DossierExchange) -> Markup:
    exchange = each.exchange
    whose = each.step or "planner"
    state = f", failed: {exchange.error_code}" if exchange.error_code else ""
    usage = f"{exchange.usage.prompt_tokens:,} in, {exchange.usage.output_tokens:,} out"
    said = f"{whose}: {exchange.purpose}{state} ({usage}, {seconds(exchange.usage.latency_s)})"
    return tag(
        "details",
        tag("summary", said),
        *(
            part
            for message in exchange.messages
            for part in (tag("h4", message.role), _plain(message.content))
        ),
        *_asked_for(each),
        *_reply(each),
        id=f"exchange-{each.seq}",
    )


def _asked_for(each: DossierExchange) -> Iterator[Markup]:
    if each.exchange.offered_tools:
        yield tag("p", f"Offered tools: {', '.join(each.exchange.offered_tools)}.", class_="note")
    if each.exchange.output_schema is not None:
        yield value(pretty(each.exchange.output_schema), "the schema it had to keep to", short=0)


def _reply(each: DossierExchange) -> Iterator[Markup]:
    exchange = each.exchange
    by = exchange.answered_by
    stand_in = f" of a stand-in, {by.model} ({by.provider})" if by is not None else ""
    yield tag("h4", f"reply{stand_in}")
    if exchange.reply is not None:
        yield _plain(exchange.reply)
    for request in exchange.tool_requests:
        yield tag("p", "asks for ", code(request.tool), value(request.arguments))
    if exchange.error_code is not None:
        yield tag("p", badge(exchange.error_code, BAD), f" {exchange.error or ''}")


def _plain(text: str) -> Markup:
    return value(text, short=4_000) if text else tag("p", "(empty)", class_="note")


def record_section(dossier: Dossier) -> Markup:
    """Show the hash chain, and how to check it."""
    lines = [
        ("head", code(dossier.head)),
        ("catalog", code(dossier.catalog_digest)),
        ("policy", code(dossier.policy_digest)),
        ("written by", joined((f"planwarden {dossier.planwarden_version}",))),
    ]
    rows = [
        (
            tag("span", str(event.seq), id=f"event-{event.seq}"),
            moment(event.at),
            event.kind.replace("_", " "),
            str(event.epoch),
            short_digest(event.payload_digest),
            short_digest(event.hash),
        )
        for event in dossier.events
    ]
    head = ("event", "at", "kind", "epoch", "payload", "hash")
    check = tag(
        "p",
        "This page proves nothing by itself. Check the record it was made from with ",
        code(f"planwarden dossier verify {dossier.run_id}"),
        ", and compare the head below with the one that you keep elsewhere.",
    )
    return section(
        "record",
        "Record",
        check,
        facts(lines),
        tag("details", tag("summary", counted(len(rows), "event")), table("The hash chain", head, rows)),
    )
