"""Proofs and their verification: pure functions over bytes, a trust root and a time. No I/O."""
