"""From a task to a plan: shortlist, prompt, notation, validation, ladder, fallback."""
