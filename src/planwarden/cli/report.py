"""A run as JSON, as `run --json` prints it."""

from __future__ import annotations

from typing import Any

from planwarden.contracts.dossier import Dossier


def run_report(dossier: Dossier) -> dict[str, Any]:
    """Give `{run_id, status, answer, plan, steps, calls, deviations, adherence, usage}`."""
    whole = dossier.model_dump(mode="json")
    return {
        "run_id": whole["run_id"],
        "status": whole["status"],
        "answer": whole["answer"],
        "plan": whole["decision"]["plan"] if whole["decision"] else None,
        "steps": whole["steps"],
        "calls": whole["calls"],
        "deviations": whole["deviations"],
        "adherence": whole["adherence"],
        "usage": whole["usage"] | {"model_calls": whole["model_calls"]},
    }
