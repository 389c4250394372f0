"""Shared building blocks: text rules, numbering, counts, paging, HTTP parsing.

The lowest layer: it knows neither applications nor chats nor messages.
"""
