"""What answers questions beside the ledger: a replica that follows it, lists and search made from its blocks, who may read."""
