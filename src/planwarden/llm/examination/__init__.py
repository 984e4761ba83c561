"""Examining a model through the port alone: what it claims is asked for, and what comes back is measured."""

from planwarden.llm.examination.asked import ExaminationOptions
from planwarden.llm.examination.examine import examine
from planwarden.llm.examination.together import take_turns

__all__ = ["ExaminationOptions", "examine", "take_turns"]
