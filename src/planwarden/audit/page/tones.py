"""How states look: a mark, a tone of colour and a word, never the colour alone. Pure."""

from __future__ import annotations

from planwarden.contracts.dossier import Dossier, DossierCall
from planwarden.contracts.run import RunStatus, StepStatus

OK, BAD, WAIT, DOUBT, IDLE, INFO = "ok", "bad", "wait", "doubt", "idle", "info"

RUN_TONES: dict[RunStatus, str] = {
    "running": INFO,
    "waiting": WAIT,
    "in_doubt": DOUBT,
    "completed": OK,
    "failed": BAD,
    "refused": BAD,
    "cancelled": IDLE,
    "asked": WAIT,
}
RUN_WORDS: dict[RunStatus, str] = {
    "running": "running, or interrupted",
    "waiting": "waits",
    "in_doubt": "in doubt",
    "completed": "completed",
    "failed": "failed",
    "refused": "refused: plan or policy allow nothing",
    "cancelled": "cancelled",
    "asked": "asked back: the planner put a question to the user",
}
STEP_TONES: dict[StepStatus, str] = {"pending": IDLE, "running": INFO, "answered": OK, "failed": BAD}
STEP_WORDS: dict[StepStatus, str] = {
    "pending": "not begun",
    "running": "begun, not ended",
    "answered": "answered",
    "failed": "failed",
}
MARKS: dict[str, str] = {OK: "✓", BAD: "✗", WAIT: "‖", DOUBT: "?", IDLE: "–", INFO: "…"}


def step_state(dossier: Dossier, step: str) -> tuple[str, str]:
    """Give tone and word of a step's state; of one that goes on, what it waits for."""
    begun = next((each for each in dossier.steps if each.id == step), None)
    status = "pending" if begun is None else begun.status
    calls = {call.status for call in dossier.calls if call.step == step}
    if status == "running" and "in_doubt" in calls:
        return DOUBT, "in doubt"
    if status == "running" and "asked" in calls:
        return WAIT, "waits"
    return STEP_TONES[status], STEP_WORDS[status]


def call_tone(call: DossierCall) -> str:
    """Give the tone of a call's state."""
    match call.status:
        case "returned":
            return OK
        case "failed" | "refused" | "denied":
            return BAD
        case "asked" | "approved":
            return WAIT
        case "in_doubt":
            return DOUBT
        case "intended":
            return INFO
        case "not_done":
            return IDLE


def tool_tone(dossier: Dossier, step: str, tool: str) -> str:
    """Give the tone of what became of a planned tool: its newest call that has a place, else a refusal."""
    own = [call for call in dossier.calls if call.step == step and call.tool == tool]
    placed = [call for call in own if call.id is not None]
    if placed:
        return call_tone(placed[-1])
    return BAD if own else IDLE


def tool_word(dossier: Dossier, step: str, tool: str) -> str:
    """Say what became of a planned tool."""
    own = [call for call in dossier.calls if call.step == step and call.tool == tool]
    placed = [call for call in own if call.id is not None]
    if placed:
        return placed[-1].status.replace("_", " ")
    return f"refused ({own[-1].refusal})" if own else "not called"
