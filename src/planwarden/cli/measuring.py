"""`planwarden models measure`: how well a model writes answers; kept for `LLM__ANSWERS=auto`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from planwarden.app import Planwarden
from planwarden.app.system import VERSION
from planwarden.cli.output import plain, print_json, say, tell
from planwarden.cli.running import AsJson, with_planwarden
from planwarden.cli.show import show_model
from planwarden.contracts.measurement import MAX_INVENTED, MIN_RIGHT, AnswerMeasurement
from planwarden.errors import ModelUnavailable

Role = Annotated[
    Literal["agents", "planner"], typer.Option("--role", help="Which of the two models is measured.")
]

MAX_OUTPUT_TOKENS = 192
"""Of one answer: a sentence is enough for every item, and a model that does not stop is not waited for."""


def measure(role: Role = "agents", as_json: AsJson = False) -> None:
    """Measure how well a model writes answers from evidence, and keep the result for LLM__ANSWERS=auto."""
    measured, scores = with_planwarden(lambda pw: _measure(pw, role, quiet=as_json), as_json=as_json)
    if as_json:
        print_json({**measured.model_dump(mode="json"), "style": measured.style, "scores": scores})
        return
    say()
    for name, share in _rows(measured):
        say(f"{name:<22}{share:>6.0%}")
    needs = f"prose needs {MIN_RIGHT:.0%} right and at most {MAX_INVENTED:.0%} with invented numbers"
    say(f"answers are to be      [bold]{measured.style}[/]  [dim]{needs}[/]")
    say(f"[dim]kept for {plain(measured.label)} ({plain(measured.model)})[/]")


async def _measure(
    planwarden: Planwarden, role: Literal["agents", "planner"], *, quiet: bool
) -> tuple[AnswerMeasurement, list[dict[str, Any]]]:
    # Imported here: the whole runtime comes with it, which `--help` starts faster without.
    from planwarden.configuration.measurements import store_measurement  # noqa: PLC0415 - see above
    from planwarden.evaluation.answer_measure import measurement, score_items  # noqa: PLC0415 - see above
    from planwarden.evaluation.answer_scores import ItemScore, answer_items  # noqa: PLC0415 - see above
    from planwarden.runtime.asking import AgentSettings  # noqa: PLC0415 - see above

    models = await planwarden.models()
    llm = models.agents.default if role == "agents" else models.planner
    health = await llm.health()
    if not (health.reachable and health.present):
        raise ModelUnavailable(f"The {role} model cannot be measured: {health.detail}.", remedy=health.remedy)
    chosen = planwarden.settings.llm
    settings = AgentSettings(
        temperature=chosen.temperature,
        seed=chosen.seed,
        max_output_tokens=min(chosen.max_output_tokens, MAX_OUTPUT_TOKENS),
        timeout_s=chosen.timeout_s,
    )
    if not quiet:
        show_model(role, llm.identity)

    def told(score: ItemScore) -> None:
        if not quiet:
            mark = "[green]right[/]" if score.right else "[red]wrong[/]"
            tell(f"{mark} {score.item.id}: {plain(' '.join(score.text.split())[:100]) or '(no reply)'}")

    items = answer_items()
    scores = await score_items(llm, items, settings, told)
    measured = measurement(llm, scores, items, VERSION, planwarden.clock)
    store_measurement(planwarden.settings.planwarden_home, measured)
    return measured, [_score(score) for score in scores]


def _score(score: Any) -> dict[str, Any]:  # noqa: ANN401 - an ItemScore, whose module is imported late
    return {
        "item": score.item.id,
        "right": score.right,
        "stated": score.stated,
        "cited": score.cited,
        "admitted": score.admitted,
        "invented": list(score.invented),
        "language": score.language,
        "text": score.text,
    }


def _rows(measured: AnswerMeasurement) -> list[tuple[str, float]]:
    return [
        (f"right of {measured.items}", measured.right),
        ("value stated", measured.stated),
        ("right call cited", measured.cited),
        ("lack admitted", measured.admitted),
        ("numbers invented", measured.invented),
        ("language kept", measured.language),
        ("no usable reply", measured.failed),
    ]


def register(models: typer.Typer) -> None:
    """Add the command to the group `models`."""
    models.command("measure")(measure)
