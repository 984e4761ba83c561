"""What all runs of a journal add up to: which metrics there are, the fold over runs, the text of it. Pure."""
