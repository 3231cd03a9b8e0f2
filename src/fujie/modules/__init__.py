"""The rooms: every rule of membership, identity and money, and nothing else.

Each room has the same plan (ARCHITECTURE.md, "The plan of a room"); a test knows it.
"""
