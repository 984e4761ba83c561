"""`make bench-planner`: every figure that is claimed for the planner, from one run on one machine."""
