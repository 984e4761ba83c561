"""Carrying out one step: the tool session, and how an agent works in it."""
