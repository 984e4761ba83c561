"""How sure a plan is: what is measured of it, and how that becomes a probability of being right. Pure."""
