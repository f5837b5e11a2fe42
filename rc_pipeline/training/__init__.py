"""Tuning: from instructions and a base model to an adapter whose bytes depend on nothing else."""
