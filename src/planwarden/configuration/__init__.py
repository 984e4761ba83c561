"""The only readers of the environment and of the catalog file."""
