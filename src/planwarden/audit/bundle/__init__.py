"""Runs as one signed file, for an auditor without our journal: docs/reference/bundle.md is the format."""
