"""HTTP servers compared, each with the product behind it."""
