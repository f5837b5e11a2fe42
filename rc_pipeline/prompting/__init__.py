"""From instructions to token ids: one code path for training and for prediction."""
