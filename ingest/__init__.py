"""The way of a write: accepted in groups, numbered, queued, inserted in batches."""
