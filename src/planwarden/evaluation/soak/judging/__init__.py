"""What is judged: each invocation by the oracle, each violation by its evidence, the record by itself."""
