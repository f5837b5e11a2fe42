"""New task templates asked of a language model, kept only where they are sound, for a person to review."""
