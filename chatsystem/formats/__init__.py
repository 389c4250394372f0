"""How pages write times and dates, in place of the habits of a country."""
