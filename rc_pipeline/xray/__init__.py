"""What a model sees of a row: every token, what teaches, what is masked and what was cut."""
