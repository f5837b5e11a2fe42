"""Instruction sets in the forms that other tools read."""
