"""How a request is read and an answer is written; nothing here knows what is asked for."""
