"""The agents' model of a soak: does what the plan says, and now and then tries what is not allowed."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, cast

from planwarden.contracts.model import Message, ModelUsage
from planwarden.contracts.run import StepState
from planwarden.contracts.value import Json
from planwarden.evaluation.soak.breaking.attacks import Attack, Place, attacks
from planwarden.evaluation.soak.chance import chance
from planwarden.evaluation.soak.history import History
from planwarden.evaluation.soak.ledger import (
    AgentKind,
    Ledger,
    ShownByDeviation,
    ShownByFall,
    ShownByRefusal,
)
from planwarden.evaluation.soak.world.making import World
from planwarden.llm.service import LLMReply, LLMRequest
from planwarden.runtime.next_action import FillAndCall, next_planned
from planwarden.testing.scripted_llm import asking

FILLS_IN = re.compile(r"^Fill in the arguments of the tool (\S+) for")
WORKS = "The plan of this step uses, in this order: "
SHOWN = re.compile(r"\[s\d+\.\d+\]")
EARLY = "It is done, and no tool was needed: the answer is 4711."
SPENT = 10_000_000
"""Tokens that a reply says it took, where the budget is to be passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Temper:
    """How much of what it could try a model tries."""

    appetite: float
    """Probability that it tries something in one turn."""
    most: int
    """In one run."""
    spares: bool
    """Whether it leaves a step one refusal short of failing."""


@dataclass(slots=True, kw_only=True)
class AgentMind:
    """One run's agents. What it says depends on the seed, the step and how often it was asked there."""

    seed: str
    world: World
    history: History
    ledger: Ledger
    temper: Temper
    asked: Counter[str] = field(default_factory=Counter[str])
    early: set[str] = field(default_factory=set[str])
    """Steps in which it answers before any tool was used."""
    calls: int = 0

    def reply(self, request: LLMRequest) -> LLMReply:
        """Answer one request."""
        text = request.messages[0].content
        fills_in = FILLS_IN.search(text)
        if fills_in is None and WORKS not in text:
            cited = dict.fromkeys(SHOWN.findall(request.messages[-1].content))
            return _said(f"That is what I found {' '.join(cited)}.")
        step = self._step(text, fills_in[1] if fills_in else "")
        step_id = step.planned.id
        self.asked[step_id] += 1
        rng = chance(self.seed, step_id, self.asked[step_id])
        if fills_in is None:
            return self._turn(step, request.messages, rng)
        return self._arguments(step, fills_in[1], rng)

    def _step(self, text: str, tool: str) -> StepState:
        """Say which step asks: of those at work, the one whose tools stand in the request."""
        state = self.history.state
        at_work = [
            step
            for step in (state.steps.values() if state else ())
            if step.status == "running" and not step.open_call
        ]
        told = [
            step
            for step in at_work
            if tool in (*step.planned.tools, *step.planned.fallback_tools)
            or f"{WORKS}{', '.join(step.planned.tools)}. " in text
        ]
        return (told or at_work)[0]

    # ---- free execution ------------------------------------------------------------------------------

    def _turn(self, step: StepState, messages: tuple[Message, ...], rng: Random) -> LLMReply:
        if step.planned.id in self.early:
            return _said(EARLY)
        proper = self._proper(step, rng)
        if not self._tries(step, rng):
            return proper
        place = Place(
            world=self.world,
            watch=self.history.watch,
            step=step,
            rng=rng,
            note=self.ledger.next_id(),
            messages=messages,
        )
        found: dict[AgentKind, Attack] = {attack.kind: attack for attack in attacks(place)}
        kinds: list[AgentKind] = [*found, *self._other_kinds(step, proper, rng)]
        chosen = self.ledger.rarest(kinds or ["unknown_tool"])
        match chosen:
            case "answer_too_early":
                return self._answer_early(step)
            case "tokens_over_budget":
                return self._overspend(step, rng)
            case _:
                attack = found.get(chosen)
                return proper if attack is None else self._with(attack, step, proper, rng)

    def _tries(self, step: StepState, rng: Random) -> bool:
        limits = self.history.watch.limits
        left = limits.max_refusals_per_step - len(step.refused) - (1 if self.temper.spares else 0)
        return left > 0 and len(self.ledger.seeded) < self.temper.most and rng.random() < self.temper.appetite

    def _other_kinds(self, step: StepState, proper: LLMReply, rng: Random) -> list[AgentKind]:
        """Give what it can try beside calls."""
        kinds: list[AgentKind] = []
        if not step.turns:
            kinds.append("answer_too_early")
        alone = self.history.watch.limits.max_parallel_steps == 1  # it ends the steps beside it as well
        if alone and proper.tool_requests and rng.random() < 0.1:
            kinds.append("tokens_over_budget")
        return kinds

    def _with(self, attack: Attack, step: StepState, proper: LLMReply, rng: Random) -> LLMReply:
        """Ask for what is not allowed, alone or before what is."""
        self._seed(attack, step)
        wrong = asking((attack.tool, attack.arguments))
        if proper.tool_requests and (not step.calls or rng.random() < 0.5):
            return replace(wrong, tool_requests=(*wrong.tool_requests, *proper.tool_requests))
        return wrong

    def _seed(self, attack: Attack, step: StepState) -> None:
        step_id = step.planned.id
        if attack.kind == "arguments_no_json":
            self.history.unread[step_id, attack.tool] += 1
        self.ledger.add(
            attack.kind,
            ShownByRefusal(refusals=attack.refusals, by_note=attack.kind != "arguments_no_json"),
            since=len(self.history.moments),
            step=step_id,
            tool=attack.tool,
        )

    def _answer_early(self, step: StepState) -> LLMReply:
        self.early.add(step.planned.id)
        self.ledger.add(
            "answer_too_early",
            ShownByFall(reason="answered_early"),
            since=len(self.history.moments),
            step=step.planned.id,
        )
        return _said(EARLY)

    def _overspend(self, step: StepState, rng: Random) -> LLMReply:
        """Ask for the next tool, with a reply that costs more than the whole run may."""
        note = self.ledger.next_id()
        self.ledger.add(
            "tokens_over_budget",
            ShownByDeviation(deviation="budget_exceeded"),
            since=len(self.history.moments),
            step=step.planned.id,
        )
        return replace(self._proper(step, rng, note), usage=ModelUsage(output_tokens=SPENT))

    def _proper(self, step: StepState, rng: Random, note: str = "") -> LLMReply:
        """Do what the plan leaves to do; a tool that only reads is now and then read again."""
        again = [
            call.call.tool
            for call in step.calls
            if call.status == "returned" and self.world.tools[call.call.tool].effect == "read"
        ]
        left = next_planned(step)
        if isinstance(left, FillAndCall):
            return self._call(step, left.tool, rng, note)
        if again and not note and rng.random() < 0.25:
            repeat = self._call(step, again[0], rng, "")
            asked = repeat.tool_requests[0]
            arguments = cast("dict[str, Any]", json.loads(asked.arguments))
            if not self.history.watch.why_not(step.planned.id, asked.tool, arguments, asked_first=False):
                return repeat
        return _said(f"That is what I found {_cited(step)}.")

    def _call(self, step: StepState, tool: str, rng: Random, note: str) -> LLMReply:
        return asking((tool, self._fitting(step, tool, rng, note)))

    def _fitting(self, step: StepState, tool: str, rng: Random, note: str = "") -> dict[str, Json]:
        self.calls += 1
        own = note or f"{self.ledger.run_id}-c{self.calls}"
        place = Place(world=self.world, watch=self.history.watch, step=step, rng=rng, note=own)
        return place.fitting(tool)

    # ---- directed execution --------------------------------------------------------------------------

    def _arguments(self, step: StepState, tool: str, rng: Random) -> LLMReply:
        """Fill in arguments, or what is none."""
        if self._tries(step, rng):
            place = Place(
                world=self.world,
                watch=self.history.watch,
                step=step,
                rng=rng,
                note=self.ledger.next_id(),
            )
            wrong: dict[AgentKind, Attack] = {
                each.kind: each
                for each in attacks(place)
                if each.tool == tool and each.kind.startswith("arguments_")
            }
            if wrong:
                attack = wrong[self.ledger.rarest(list(wrong))]
                self._seed(attack, step)
                return _said(attack.arguments)
        return _said(json.dumps(self._fitting(step, tool, rng)))


def _said(text: str) -> LLMReply:
    return LLMReply(text=text, usage=ModelUsage(prompt_tokens=20, output_tokens=10))


def _cited(step: StepState) -> str:
    return " ".join(f"[{call.call.id}]" for call in step.calls if call.status == "returned")
