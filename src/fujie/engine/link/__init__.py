"""The link: a Unix socket over which other processes of a node follow the ledger, submit to it and ask it."""
