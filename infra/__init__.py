"""Building blocks that know nothing of the domain: services, transactions, logs, time limits."""
