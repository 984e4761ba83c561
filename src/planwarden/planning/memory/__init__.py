"""Plans that worked: what teaches, who may see it, what a repeat may be answered with."""
