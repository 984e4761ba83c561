"""A small local model writes the plan; the warden holds every agent to it, and keeps the record."""

from planwarden.app import Planwarden, RunResult
from planwarden.configuration.settings import Settings, load_settings
from planwarden.contracts.dossier import Dossier
from planwarden.contracts.plan import PlannedAgentStep, PlannerPlan
from planwarden.contracts.specs import AgentSpec, ToolExample, ToolSpec
from planwarden.contracts.task import Exchange, Principal, Task, TaskLimits
from planwarden.errors import PlanwardenError, ToolFailed
from planwarden.tools.function import tool
from planwarden.tools.tool import Tool, ToolContext

__all__ = [
    "AgentSpec",
    "Dossier",
    "Exchange",
    "PlannedAgentStep",
    "PlannerPlan",
    "Planwarden",
    "PlanwardenError",
    "Principal",
    "RunResult",
    "Settings",
    "Task",
    "TaskLimits",
    "Tool",
    "ToolContext",
    "ToolExample",
    "ToolFailed",
    "ToolSpec",
    "load_settings",
    "tool",
]
