"""Who gives the next number, and how nobody ever gives it twice.

`authority` is the one row that says who gives numbers now, `leases` what the database lends to
Redis, `blocks` how Redis gives it away, `examination` whether this is still the Redis that the
numbers were lent to, `keeper` what a process does for all that beside its requests, and
`database` the numbers that the database gives itself.
"""
