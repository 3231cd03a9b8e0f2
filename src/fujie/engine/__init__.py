"""Order, time and durability: what turns the pure machine into a running ledger."""
