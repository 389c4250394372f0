"""What operators use: audit, counts, recovery, health, metrics, dashboard, and the admin kit.

It knows the types of records, but neither applications nor chats nor messages.
"""
