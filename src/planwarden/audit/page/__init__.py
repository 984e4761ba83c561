"""A dossier as one HTML file that a person wants to read. Pure; loads nothing, runs nothing."""
