"""The dossier: built from events alone, rendered, verified."""
