"""Dossiers without what must not be handed on: all free text, or what looks like personal data. Pure."""
