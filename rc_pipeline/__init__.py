"""Instruction tuning for reading comprehension, from raw rows to scores that can be walked back."""
