"""Measurements of search: which analysis to index with, and what a search costs by index size."""
