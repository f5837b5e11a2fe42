"""The lake: what was built, from what, and whether it still holds."""
