"""Why a plan is refused: the closed set of reasons, by the rung of the validity ladder.

docs/reference/refusals.md says what each means; a test compares page, planner and this.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from planwarden.contracts.plan import Rung

_CONSTRAINED_OUTPUT = (
    "model_unavailable",
    "model_circuit_open",
    "model_timed_out",
    "reply_incomplete",
    "reply_invalid",
    "model_error",
    "prompt_too_long",
    "nothing_allowed",
)
_PARSE = ("not_json", "too_large")
_SCHEMA = ("notation_broken", "contract_broken", "legacy_agents")
_SEMANTICS = (
    "unknown_agent",
    "unknown_tool",
    "tool_not_of_agent",
    "tool_denied_by_policy",
    "too_many_agents",
    "tools_missing",
    "way_out_undeclared",
    "way_out_mismatch",
    "answer_without_tools_denied",
    "unknown_parameter",
    "binding_unsupported",
    "reference_unknown",
    "reference_opaque",
    "confidence_too_low",
)

REASONS: Mapping[Rung, tuple[str, ...]] = MappingProxyType(
    {
        "constrained_output": _CONSTRAINED_OUTPUT,
        "parse": _PARSE,
        "schema": _SCHEMA,
        "semantics": _SEMANTICS,
        "repair": (*_CONSTRAINED_OUTPUT, *_PARSE, *_SCHEMA, *_SEMANTICS),
        "cache": (*_SEMANTICS, "contract_broken"),
        "fallback": ("nothing_allowed",),
    }
)
"""A repaired or remembered plan passes earlier rungs again, and is refused for what they refuse."""
