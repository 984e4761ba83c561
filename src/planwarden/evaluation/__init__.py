"""Measuring: plan benchmarks. Above the product path, which therefore cannot import it."""
