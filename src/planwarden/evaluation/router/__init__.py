"""The baseline: a plain keyword and BM25 router, standing for the ones that planners replace."""
