"""Numbering: who gives the next number, and why no number is ever given twice."""
