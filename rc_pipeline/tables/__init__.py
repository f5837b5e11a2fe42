"""Validated tables: what the raw files say, and what of it could not be used."""
