"""From validated rows to instructions: what a model is asked, and what it should answer."""
