"""Rate limits of clients. Only throttle.py knows HTTP, and how a client is identified."""
