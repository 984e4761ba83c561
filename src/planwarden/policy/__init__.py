"""Ordered rules, first match decides, default deny."""
