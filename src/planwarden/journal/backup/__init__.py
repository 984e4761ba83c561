"""Copies of the store: one file with journal and memory in it, made while runs go on, and put back."""
