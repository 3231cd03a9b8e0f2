"""The pages under docs/reference, one module for each kind of page; ``tools/render_reference.py`` writes them."""
