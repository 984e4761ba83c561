"""The sentence at the end of a shadow run: who was better, or that nothing can be told. Pure.

It rests on one figure, chosen beforehand: F1 of the tools over tasks whose right plan is known by gold labels
or by a person, as a paired difference with its 95 % interval. The other figures decide nothing.
"""

from __future__ import annotations

from planwarden.evaluation.shadow.report.contract import Figure, SideReport, Verdict

LEAST_KNOWN = 20
"""With fewer tasks whose right plan is known nothing is said of who is better."""
SMALL = 0.02
"""An interval that lies within this much of 0 says that the sides are as good as each other."""


def verdict(
    first: SideReport,
    second: SideReport | None,
    *,
    known: int,
    tools_f1: tuple[Figure, Figure, Figure] | None,
    same_plan: Figure | None,
) -> Verdict:
    """Say what the figures come to.

    Args:
        first: the planner that is looked at.
        second: what it is compared with.
        known: how many tasks have a known right plan that counts.
        tools_f1: of the first, of the second, and how much the first is above; over those tasks.
        same_plan: the share of tasks that get the same plan from both.
    """
    told = _invalid(first) + (_invalid(second) if second else "")
    if second is None:
        return Verdict(winner="untold", sentence=f"{_alone(first)}{told}")
    if known < LEAST_KNOWN or tools_f1 is None:
        return Verdict(winner="untold", sentence=f"{_untold(known, first, second, same_plan)}{told}")
    ours, theirs, gain = tools_f1
    figures = (
        f"F1 of the tools {ours.mean:.3f} ({first.name}) against {theirs.mean:.3f} ({second.name}), "
        f"difference {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}), on {known} tasks whose right "
        "plan is known"
    )
    if gain.low > 0:
        said = f"{first.name} plans better than {second.name}: {figures}.{_costs(first, second)}"
        return Verdict(winner="first", sentence=said + told)
    if gain.high < 0:
        said = f"{second.name} plans better than {first.name}: {figures}.{_costs(second, first)}"
        return Verdict(winner="second", sentence=said + told)
    if gain.low >= -SMALL and gain.high <= SMALL:
        said = f"Neither plans better by more than {SMALL}: {figures}. {_cheaper(first, second)}"
        return Verdict(winner="neither", sentence=said + told)
    said = f"It cannot be told which plans better: {figures}. More tasks with a known right plan would tell."
    return Verdict(winner="untold", sentence=said + told)


def _alone(first: SideReport) -> str:
    return f"Nothing was compared: {first.name} planned {first.tasks} tasks beside nobody."


def _untold(known: int, first: SideReport, second: SideReport, same_plan: Figure | None) -> str:
    counted = "1 task" if known == 1 else f"{known} tasks"
    few = f"{counted} with a known right plan {'is' if known == 1 else 'are'} too few"
    if known == 0:
        few = "no task has a known right plan"
    alike = f" They give the same plan for {same_plan.mean:.0%} of the tasks." if same_plan else ""
    return (
        f"It cannot be told whether {first.name} or {second.name} plans better: {few}; "
        f"at least {LEAST_KNOWN} are needed.{alike}"
    )


def _costs(better: SideReport, worse: SideReport) -> str:
    """Say what being better costs, or saves, for one plan."""
    if better.seconds is None or worse.seconds is None:
        return ""
    more = better.seconds.median - worse.seconds.median
    tokens = (better.total_prompt_tokens + better.total_output_tokens) / max(1, better.tasks)
    tokens -= (worse.total_prompt_tokens + worse.total_output_tokens) / max(1, worse.tasks)
    money = 1000 * (better.cost / max(1, better.tasks) - worse.cost / max(1, worse.tasks))
    said = [f"{abs(more):.3f} s {'more' if more > 0 else 'less'} (medians)"]
    if round(tokens):
        said.append(f"{abs(tokens):.0f} tokens {'more' if tokens > 0 else 'less'} (mean)")
    if money:
        said.append(f"{abs(money):.2f} {'more' if money > 0 else 'less'} for a thousand plans")
    return f" A plan of it takes {' and '.join(said)}."


def _cheaper(first: SideReport, second: SideReport) -> str:
    one, other = _burden(first), _burden(second)
    if one == other:
        return "They cost the same."
    return f"Then the cheaper one will do: {(first if one < other else second).name}."


def _burden(side: SideReport) -> tuple[float, float, float]:
    tokens = side.total_prompt_tokens + side.total_output_tokens
    return (
        side.cost / max(1, side.tasks),
        tokens / max(1, side.tasks),
        side.seconds.median if side.seconds else 0,
    )


def _invalid(side: SideReport) -> str:
    broken = round((1 - side.valid.mean) * side.tasks)
    return f" {broken} of {side.tasks} plans of {side.name} may not be followed." if broken else ""
