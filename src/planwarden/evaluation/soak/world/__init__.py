"""Made-up worlds: tools with parameters, agents, who may call what, and tools that misbehave."""
