"""The append-only record: port, in-memory and SQLite implementations, hash chain."""
