"""A plain DRF view that does for each request by itself what the product does for a group.

One Lua call numbers the row and keeps it as pending, one confirmed publish queues it, then 201. No
serializer, no database, and nobody consumes its queue: the least that a request alone could cost.
"""
