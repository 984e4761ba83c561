"""The planner beside the prompt that a framework would send: same model, same tasks, same run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from benchmarks.planner.bench import Bench
from benchmarks.planner.quality import unseen_by_the_adapter
from benchmarks.planner.results import Cell, Figure, Measured, Section, reached_figure, table
from benchmarks.planner.splits import request_key

from planwarden.evaluation.contestants import BareJsonContestant, Contestant
from planwarden.evaluation.intervals import spread_of
from planwarden.evaluation.plan_benchmark import Judged, summarise
from planwarden.evaluation.plan_tasks import PlanTask

FASTER, FEWER_IN, FEWER_OUT = 20.0, 0.1, 0.15
RECOMPUTED: Final = 0.05
TIMEOUT_S = 300.0


async def beside_a_framework(bench: Bench) -> Section:
    """Plan a fixed sample both ways; the planner may know every task with another request."""
    sample = unseen_by_the_adapter(bench.tasks, bench.sizes.bare)
    requests = {request_key(task) for task in sample}
    fitted = bench.makes.fitted([task for task in bench.tasks if request_key(task) not in requests])
    planner = fitted.contestant("fused", bench.llm)
    await planner.attempt(sample[0])  # the weights are loaded once, by whoever comes first: by neither here
    ours = await bench.judge("planner", sample, planner)
    theirs = await bench.judge(
        "bare-json", sample, BareJsonContestant(llm=bench.llm, clock=bench.clock, timeout_s=TIMEOUT_S)
    )
    shares = await _recomputed(planner, sample)
    both = {"planner, fused": ours, "bare-json": theirs}
    failed = [each for each in theirs if each.attempted.source == "none"]
    unread = [each for each in failed if not each.attempted.usage.prompt_tokens]
    return Section(
        name="beside a framework's prompt",
        notes=(
            f"{len(sample)} tasks that no adapter was trained on, always the same.",
            f"Both with {bench.llm.identity.model}, in the same run.",
            "bare-json: every tool with its full JSON Schema, free text, read leniently.",
            f"bare-json gave no whole reply in {len(failed)} tasks; {len(unread)} of them did not fit.",
        ),
        tables=(
            table(
                "bare_json", "What a plan cost: medians, quartiles", [_cost(*each) for each in both.items()]
            ),
            table("bare_json_scores", "How good it was", [_scores(*each) for each in both.items()]),
        ),
        figures=(*ratio_figures(ours, theirs), *_recomputed_figures(shares)),
    )


def ratio_figures(ours: Sequence[Judged], theirs: Sequence[Judged]) -> tuple[Figure, ...]:
    """Compare medians of seconds and tokens, over the tasks that the other side's model could read. Pure."""
    read = {each.task.id for each in theirs if each.attempted.usage.prompt_tokens}
    mine = [each.attempted for each in ours if each.task.id in read]
    other = [each.attempted for each in theirs if each.task.id in read]

    def ratio(of: Sequence[float], to: Sequence[float]) -> float | None:
        if not of or not spread_of(to).median:
            return None
        return spread_of(of).median / spread_of(to).median

    faster = ratio([each.seconds for each in other], [each.seconds for each in mine])
    fewer_in = ratio([e.usage.prompt_tokens for e in mine], [e.usage.prompt_tokens for e in other])
    fewer_out = ratio([e.usage.output_tokens for e in mine], [e.usage.output_tokens for e in other])
    return (
        reached_figure("times faster than bare-json", faster, FASTER, unit="×"),
        reached_figure("share of bare-json's prompt tokens", fewer_in, FEWER_IN, at_most=True),
        reached_figure("share of bare-json's output tokens", fewer_out, FEWER_OUT, at_most=True),
    )


async def _recomputed(planner: Contestant, sample: Sequence[PlanTask]) -> dict[str, list[float]]:
    """Plan twice in a row over the same tools, and say what share of the second prompt was read anew.

    `same request`: the whole prompt is the same. `extended request`: two words are added at its end, so that
    as good as always the same tools are shown, and all that comes before the request could be kept.
    """
    shares: dict[str, list[float]] = {"same request": [], "extended request": []}
    for task in sample[: max(1, len(sample) // 3)]:
        await planner.attempt(task)
        again = await planner.attempt(task)
        if again.usage.prompt_tokens:
            shares["same request"].append(1 - again.usage.cached_tokens / again.usage.prompt_tokens)
        other = task.model_copy(update={"request": f"{task.request} Thank you."})
        second = await planner.attempt(other)
        if second.usage.prompt_tokens:
            shares["extended request"].append(1 - second.usage.cached_tokens / second.usage.prompt_tokens)
    return shares


def _recomputed_figures(shares: dict[str, list[float]]) -> list[Figure]:
    return [
        reached_figure(
            f"prompt read anew, second plan, {name}",
            spread_of(values) if values else None,
            RECOMPUTED,
            at_most=True,
            note=f"median and quartiles of {len(values)}",
        )
        for name, values in shares.items()
    ]


def _cost(label: str, judged: Sequence[Judged]) -> dict[str, Cell]:
    cost = next(each.cost for each in summarise(judged) if each.name == "all")
    return {
        "planner": label,
        "seconds": Measured.of(cost.seconds),
        "tokens in": Measured.of(cost.prompt_tokens),
        "of them cached": Measured.of(cost.cached_tokens),
        "tokens out": Measured.of(cost.output_tokens),
    }


def _scores(label: str, judged: Sequence[Judged]) -> dict[str, Cell]:
    scores = next(each.scores for each in summarise(judged) if each.name == "all")
    named: dict[str, Cell] = {name.replace("_", " "): Measured.of(each) for name, each in scores.items()}
    return {"planner": label, **named}
