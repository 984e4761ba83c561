"""Free execution: a model drives its step by native tool calls, inside the same tool session."""
