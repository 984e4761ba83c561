"""Tools: the port, Python function tools, the built-in tools by domain."""
