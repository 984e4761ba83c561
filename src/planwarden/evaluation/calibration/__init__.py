"""Calibrating a planner model: what its word is worth, and how far its confidence may be believed."""
