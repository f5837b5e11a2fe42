"""Overlaps: what an evaluation set shares with what is trained on, and what a training set says twice."""
