"""A light client: believes headers of a chain for the sake of one that was pinned, from nodes that it does not trust.

``client.light.client`` is what a program uses; ``provider`` says what it asks, ``cometbft`` and ``node`` ask over HTTP,
``store`` keeps what is believed, ``detector`` compares with witnesses.
"""
