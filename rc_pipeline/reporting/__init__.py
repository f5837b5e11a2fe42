"""From the scores of a study's runs to a page that compares them."""
