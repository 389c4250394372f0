"""Numbering: Redis or the database gives each number, and never gives one twice."""
