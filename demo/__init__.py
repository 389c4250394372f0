"""A page for people to try the API with: it reads, writes, searches, and shows what others do."""
