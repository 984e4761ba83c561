"""How the ranker learns from plans that people labelled. Needed to fit weights, never to plan."""
