"""The builders behind ``tools/make_vectors.py``: one module per subject, each with fixed seeds and no clock."""
