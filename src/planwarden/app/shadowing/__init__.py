"""Shadow planning as it goes: a share of real tasks goes to another planner, once the run is over, and to no tool."""
