"""Checks that every guarantee that can be verified at rest holds. Nothing here changes data.

`runner` runs one check after the other. The checks are in `numbers`, `integrity` and `unstored`;
higher layers register their own in `checks`. `stats` and `redis_state` read what is compared.
"""
