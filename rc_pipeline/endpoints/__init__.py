"""A language model of somebody else, asked over the network."""
