"""What reading costs: pages of a long list, single items."""
