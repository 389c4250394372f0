"""Views that do nothing: what Django alone, and what a stock DRF view, cost on the same server."""
