"""The projection: blocks laid out in SQL tables, for lists, search and history.

Nothing of it is ever trusted. It finds things; what is shown of them is read from the ledger, with proof. It may be
deleted at any time and is built again from the ledger.
"""
