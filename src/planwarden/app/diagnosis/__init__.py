"""`planwarden doctor` without the terminal: what is looked at, in which order, and what came of it."""

from planwarden.app.diagnosis.check import Check, DiagnosisOptions, first_to_do
from planwarden.app.diagnosis.diagnose import diagnose

__all__ = ["Check", "DiagnosisOptions", "diagnose", "first_to_do"]
