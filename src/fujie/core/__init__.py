"""What every other layer stands on: units, encoding, hashing, signing, transactions, state access.

Nothing in here knows a rule of money or identity, and nothing imports from the layers above.
"""
