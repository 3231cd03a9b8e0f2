"""What is on disk: tables, the state tree over them, the transaction log, snapshots."""
