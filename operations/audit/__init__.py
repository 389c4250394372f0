"""Whether every guarantee that can be checked at rest holds.

`running` makes one check after the other; `numbers` compares, for all parents, what is stored with
what was given, and looks closely at those that do not add up. Nothing here changes anything. A
higher layer registers what it has to check in `checks`.
"""
