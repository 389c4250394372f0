"""The matrix on a sharded database."""
