"""The room of identifiers: who may give them out, what they stand for, and what they were in the past."""
