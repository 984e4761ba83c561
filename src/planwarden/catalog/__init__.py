"""The checked set of agents, tools and aliases."""
