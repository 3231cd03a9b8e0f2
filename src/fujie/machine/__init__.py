"""The state machine: one pure function from a snapshot and a block to changes and receipts."""
