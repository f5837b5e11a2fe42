"""Answers judged by a language model or by people, where no rule can: graded, or the better of two."""
