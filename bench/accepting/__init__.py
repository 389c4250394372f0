"""How messages are accepted: how many a second, how soon, in whatever company."""
