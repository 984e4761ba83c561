"""Those who try to break out: models, tools, people, and hands on the journal file."""
