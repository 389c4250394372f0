"""Applications: the client systems, each with a token and a name."""
