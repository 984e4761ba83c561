"""The fixtures of tests/command_line.py, here too."""

from command_line import cli, home, mind, offline, program

__all__ = ["cli", "home", "mind", "offline", "program"]
