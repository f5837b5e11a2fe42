"""From predictions and gold answers to scores with intervals, and a verdict on every question."""
