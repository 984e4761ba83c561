"""What each field of a dossier is, to whoever redacts it. A field that is not named here is free text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planwarden.contracts import calls, dossier, model, plan, task, verdict
from planwarden.contracts.deviations import Deviation
from planwarden.contracts.value import Contract


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of fields, apart by what may stand in them."""

    structure: str = ""
    """Closed words, checked names, ids, digests: never replaced."""
    named: str = ""
    """Who and where: kept when content is redacted, searched for personal data."""
    tools: str = ""
    """Names of tools as a model wrote them: kept where they are names at all."""
    opaque: str = ""
    """Any JSON."""


FIELDS: Mapping[type[Contract], Fields] = {
    dossier.Dossier: Fields(
        "run_id status outcome_code catalog_digest policy_digest planwarden_version plan_digest head"
    ),
    dossier.NotOpened: Fields("role agent code", "remedy"),
    dossier.DossierStep: Fields("id agent status execution failure_code"),
    dossier.DossierCall: Fields(
        "id step role status refusal failure idempotency_key result_digest",
        "settled_by",
        "tool",
        "arguments result",
    ),
    dossier.DossierApproval: Fields("what subject decision", "by"),
    dossier.DossierEvent: Fields("kind payload_digest hash"),
    dossier.DossierExchange: Fields("step prompt_digest"),
    task.Task: Fields("", "conversation tenant", "", "metadata"),
    task.TaskLimits: Fields(),
    task.Principal: Fields("kind", "id"),
    task.Exchange: Fields("role"),
    model.ModelIdentity: Fields(
        "provider model digest adapter answer_style argument_style",
        "endpoint chosen_because answer_style_because",
    ),
    model.ModelUsage: Fields(),
    model.ModelExchange: Fields("purpose offered_tools error_code", "", "", "output_schema"),
    model.Message: Fields("role"),
    model.ToolRequest: Fields("", "", "id tool"),
    plan.PlanDecision: Fields(),
    plan.PlannerPlan: Fields(),
    plan.PlanMetadata: Fields(
        "handoff_strategy source way_out model catalog_digest policy_digest prompt_version shortlist mode"
    ),
    plan.ConfidenceMethod: Fields("method"),
    plan.PlanChoice: Fields("kind step value decided_by"),
    plan.Refusal: Fields("rung inner reason"),
    plan.PlannedAgentStep: Fields("id agent tools fallback_tools depends_on"),
    plan.CallBinding: Fields("tool"),
    plan.LiteralValue: Fields("kind origin", "", "", "value"),
    plan.ResultReference: Fields("kind step tool pointer"),
    plan.TypedExtraction: Fields("kind step tool json_type"),
    plan.FreeText: Fields("kind"),
    calls.StepAnswer: Fields("evidence style available rendered_because"),
    calls.Citation: Fields("call by"),
    verdict.Allowed: Fields("verdict rule"),
    verdict.Denied: Fields("verdict rule"),
    verdict.NeedsApproval: Fields("verdict rule"),
    Deviation: Fields("kind step", "", "tool"),
}
