"""Who takes part: organisations, accounts, governors and what they decide, validators, parameters (room 1, README.md)."""
