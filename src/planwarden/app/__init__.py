"""The composition root: builds the program from its settings."""

from planwarden.app.planwarden import Planwarden
from planwarden.app.result import RunResult

__all__ = ["Planwarden", "RunResult"]
