"""Live shadow planning: a share of real tasks goes to another planner, after the run, and to no tool."""
