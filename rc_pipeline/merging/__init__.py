"""Merged models: what a run learnt within the weights of its base, as a folder that other programs load."""
