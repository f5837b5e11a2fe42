"""Conversations with a model in its own prompt template."""
