"""Keyset pages of numbered rows: from the table, and with rows that are still pending."""
