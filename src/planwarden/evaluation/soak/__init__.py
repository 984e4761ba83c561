"""The soak: hostile models and tools against the real planner, policy, session and journal.

Made-up worlds, and an oracle of its own that says what was allowed.
"""
