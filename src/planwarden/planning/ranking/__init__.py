"""How likely each tool is to be in the plan, before any model is asked."""
