"""Doubles that ship, so that users test their own agents and tools as we test ours."""
