"""Planwarden: a small local model writes the plan; the warden holds every agent to it, and keeps the record."""
