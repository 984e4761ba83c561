"""What the planner model writes: `{"plan":["get_joke","encrypt_data<1","search_restaurants"]}`.

An item is `[agent/]tool[|stand-in][<i][<j]`: `agent/` only where several agents hold the tool; `|stand-in`
only where the tool has one; `<i` says that the item uses the result of item i, counted from 1 and always an
earlier one, so that a plan is acyclic by construction. Ways out: `{"plan":["none"]}`, `{"plan":["ask"]}`.
"""
