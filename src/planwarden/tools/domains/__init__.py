"""The tools that ship, one module for each domain."""
