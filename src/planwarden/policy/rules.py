"""Policies as values: ordered rules per agent, first match decides, default deny."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, field_validator

from planwarden.contracts.json_schema import schema_fault, schema_problems
from planwarden.contracts.specs import JsonSchema
from planwarden.contracts.value import Contract, Json, canonical_json, digest_bytes
from planwarden.contracts.verdict import Allowed, Denied, NeedsApproval, Verdict

NO_POLICY = "no-policy"
DEFAULT_DENY = "default-deny"


class Rule(Contract):
    """One rule: which tools it speaks of, what it says, which arguments it demands."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    says: Literal["allow", "deny", "ask"]
    tools: Annotated[tuple[str, ...], Field(min_length=1)]
    """Tool names; `*` stands for any characters."""
    arguments: JsonSchema | None = None
    """What the arguments must satisfy (JSON Schema); a call that breaks it is denied by this rule."""
    reason: str = ""

    @field_validator("arguments")
    @classmethod
    def _is_a_schema(cls, arguments: JsonSchema | None) -> JsonSchema | None:
        if arguments is not None and (fault := schema_fault(arguments)):
            msg = f"not a JSON Schema: {fault}"
            raise ValueError(msg)
        return arguments

    def speaks_of(self, tool: str) -> bool:
        """Say whether this rule decides about that tool."""
        return any(fnmatchcase(tool, pattern) for pattern in self.tools)


class AgentPolicy(Contract):
    """What one agent may do."""

    rules: tuple[Rule, ...] = ()
    answer_without_tools: bool = False
    """Whether a plan may let this agent answer from the model alone."""


@dataclass(frozen=True, kw_only=True)
class ToolPolicy:
    """Policies by agent. An agent nobody wrote a policy for may call nothing."""

    agents: Mapping[str, AgentPolicy] = field(default_factory=dict[str, AgentPolicy])

    @cached_property
    def digest(self) -> str:
        """Name this policy by its content."""
        return digest_bytes(self.body)

    @cached_property
    def body(self) -> bytes:
        """Write this policy as canonical JSON; `read_policy` reads it back."""
        return canonical_json({name: policy.model_dump(mode="json") for name, policy in self.agents.items()})

    def decide(self, agent: str, tool: str, arguments: Mapping[str, Json] | None = None) -> Verdict:
        """Say whether that agent may call that tool; without arguments, whether it could at all.

        Args:
            agent: who calls.
            tool: canonical tool name.
            arguments: of the call; None at planning time, when constraints on them cannot be judged yet.
        """
        policy = self.agents.get(agent)
        if policy is None:
            return Denied(rule=NO_POLICY, reason=f"no policy is written for agent '{agent}'")
        for rule in policy.rules:
            if rule.speaks_of(tool):
                return _apply(rule, tool, arguments)
        return Denied(rule=DEFAULT_DENY, reason=f"no rule of agent '{agent}' speaks of tool '{tool}'")

    def may_answer_without_tools(self, agent: str) -> Verdict:
        """Say whether that agent may answer from its model alone."""
        policy = self.agents.get(agent)
        if policy is None:
            return Denied(rule=NO_POLICY, reason=f"no policy is written for agent '{agent}'")
        if policy.answer_without_tools:
            return Allowed(rule="answer_without_tools", reason="the agent's policy says so")
        return Denied(rule="answer_without_tools", reason=f"policy of '{agent}' wants every answer backed")


_BODY: TypeAdapter[dict[str, AgentPolicy]] = TypeAdapter(dict[str, AgentPolicy])


def read_policy(body: bytes) -> ToolPolicy:
    """Read a policy back from its canonical JSON: the very same, with the same digest.

    Raises:
        ValueError: these bytes are not a policy as this Planwarden writes one.
    """
    policy = ToolPolicy(agents=_BODY.validate_python(json.loads(body.decode("utf-8", "surrogatepass"))))
    if policy.body != body:
        msg = "it was written by another version of Planwarden"
        raise ValueError(msg)
    return policy


def _apply(rule: Rule, tool: str, arguments: Mapping[str, Json] | None) -> Verdict:
    reason = rule.reason or f"rule '{rule.name}' says {rule.says} for '{tool}'"
    if rule.says == "deny":
        return Denied(rule=rule.name, reason=reason)
    if arguments is not None and rule.arguments is not None:
        broken = schema_problems(rule.arguments, dict(arguments))
        if broken:
            return Denied(rule=rule.name, reason=f"arguments break the rule's constraint: {broken[0]}")
    if rule.says == "ask":
        return NeedsApproval(rule=rule.name, reason=reason)
    return Allowed(rule=rule.name, reason=reason)
