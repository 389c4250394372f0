"""How much each client may send; nothing here knows of HTTP or of who a client is."""
