"""A study rehearsed: every stage and check on few rows, with tiny random models, before GPU hours are spent."""
