"""Shadow runs: tasks planned by two planners beside each other, and nothing executed."""
