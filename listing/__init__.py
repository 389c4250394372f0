"""Pages of rows, by number: from the table, and with the rows that are still pending."""
