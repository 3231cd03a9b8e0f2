"""The composition root: data folders, opening and founding a chain, the demonstration, serving, checking, snapshots.

The only package that knows every layer; nothing but the command line stands above it.
"""
