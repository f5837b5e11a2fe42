"""The publishers' own files of questions and predictions: scored as they score them, and written for submission."""
