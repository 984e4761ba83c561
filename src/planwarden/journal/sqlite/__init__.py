"""The journal in one SQLite file: one writer thread with group commit, leases across processes."""

from planwarden.journal.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal"]
