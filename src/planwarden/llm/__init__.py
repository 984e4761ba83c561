"""The port to a model, its adapters, and wrappers of one behaviour each."""
