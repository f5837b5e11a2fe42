"""From long documents to passages: what of a question's evidence fits a token budget."""
