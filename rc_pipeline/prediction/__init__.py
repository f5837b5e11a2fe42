"""Predictions: what a model answers to every question of an evaluation set, each computed once."""
