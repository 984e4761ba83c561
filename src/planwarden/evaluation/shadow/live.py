"""What live shadow planning found: shadow plans beside those that really ran."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from planwarden.app import Planwarden
from planwarden.app.shadowing.file import ShadowFile, ShadowLines
from planwarden.configuration.planner_config import planner_config
from planwarden.contracts.shadow import ShadowRecord
from planwarden.errors import InputError
from planwarden.evaluation.shadow.compare import Compared
from planwarden.evaluation.shadow.journal import RunTask, run_as_task
from planwarden.evaluation.shadow.report.contract import Price, ShadowReport
from planwarden.evaluation.shadow.report.summary import summarise_shadow
from planwarden.evaluation.shadow.sides import RecordedSide

Progress = Callable[[int, int], None]


async def live_report(
    planwarden: Planwarden, *, since: datetime | None, price: Price, progress: Progress
) -> ShadowReport:
    """Plan what is due, then compare the shadow's plans with those that ran.

    Only plans of the newest configuration are compared: those of another would be another planner's.

    Raises:
        InputError: nothing was chosen yet, or nothing could be planned.
        ConfigurationError: `SHADOW__PLANNER` is wrong.
        StoreError: journal, memory or the file of shadow plans cannot be used.
    """
    file = ShadowFile(path=planwarden.settings.shadow_path)
    found = await _caught_up(planwarden, file, progress)
    left_out: Counter[str] = Counter({"damaged line of the shadow file": found.damaged})
    planned = _of_newest(found.records, since, left_out)
    pairs: list[Compared] = []
    for record in planned:
        run = await run_as_task(planwarden, record.run_id)
        match run:
            case RunTask(task=task) if record.plan is not None and task.recorded is not None:
                pairs.append(Compared(task=task, first=record.plan, second=task.recorded))
            case RunTask():
                left_out["ended before there was a plan"] += 1
            case str():
                left_out[run] += 1
    if not pairs:
        raise _nothing(left_out)
    newest = planned[-1]
    chosen = f"SHADOW__PLANNER {newest.planner}: {newest.provider} {newest.model}"
    return summarise_shadow(
        pairs,
        (RecordedSide(name=f"shadow {newest.planner}", describes=chosen), price),
        (RecordedSide(name="real", describes="the plans that the runs really had"), price),
        left_out=left_out,
        notes=_notes(planwarden),
    )


async def _caught_up(planwarden: Planwarden, file: ShadowFile, progress: Progress) -> ShadowLines:
    """Plan what is due; give what the file holds then."""
    found = await file.read()
    settings = planwarden.settings
    config = planner_config(settings.shadow.planner, settings.planner_llm, os.environ)
    if not found.due:
        return found
    again = planwarden.shadow.plans_again(config)
    try:
        for number, record in enumerate(found.due):
            progress(number, len(found.due))
            await file.append(await again.plan(record.run_id))
    finally:
        await again.aclose()
    return await file.read()


def _of_newest(
    records: Sequence[ShadowRecord], since: datetime | None, left_out: Counter[str]
) -> tuple[ShadowRecord, ...]:
    """Give the plans of the configuration that planned last, oldest first; count the others."""
    planned = sorted((each for each in records if each.state == "planned"), key=lambda each: each.at)
    for record in records:
        if record.state == "failed":
            left_out[f"the shadow failed: {record.code}"] += 1
    newest = planned[-1].planner_digest if planned else None
    kept = [each for each in planned if each.planner_digest == newest]
    left_out["planned by another configuration"] = len(planned) - len(kept)
    late = [each for each in kept if since is None or each.at >= since]
    left_out["before --since"] = len(kept) - len(late)
    return tuple(late)


def _nothing(left_out: Counter[str]) -> InputError:
    why = "; ".join(f"{count}: {reason}" for reason, count in left_out.items() if count)
    return InputError(
        f"There are no live shadow plans to report on{f' (left out: {why})' if why else ''}.",
        remedy="Set SHADOW__RATE (like 0.2) and SHADOW__PLANNER (like model=llama3.2:3b), and run tasks.",
    )


def _notes(planwarden: Planwarden) -> tuple[str, ...]:
    rate = planwarden.settings.shadow.rate
    return (
        f"Chosen by the digests of the run ids; SHADOW__RATE is {rate:g} now.",
        "The real plans' seconds are of the model alone, the shadow's of the whole planning.",
    )
