"""The soak: the real planner, policy, session and journal driven over made-up worlds by models and tools that
try to break out, with an oracle of its own that says what was allowed.
"""
