"""A small model is taught to write plans: examples, training, the adapter's file, and whether it got better.

PyTorch is needed to train (the extra `tune`) and for nothing else in the product.
"""
