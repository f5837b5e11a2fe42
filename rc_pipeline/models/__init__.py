"""Base models: loading, checkpoints of older formats, the tiny model that comes with the package."""
