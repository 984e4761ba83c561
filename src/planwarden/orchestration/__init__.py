"""Carrying out a run: the scheduler decides, the executor acts, the journal keeps."""
