"""Money: instruments, institutions with quotas, wallets with dated limits, and payments (README.md is the page)."""
