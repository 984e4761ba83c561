"""What the runs of a period add up to, for a person: figures, and a page with plots. Pure."""
