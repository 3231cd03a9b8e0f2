"""The side that asks: keys, transports, and a client that believes nothing but proofs.

Imports core, proof and the rooms' data files; never an engine or a server. The same client works in process and over
HTTP, because both only hand it bytes.
"""
