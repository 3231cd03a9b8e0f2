"""Which transactions were carried out and have not expired: a repeat of one must not be carried out again.

An id commits to its expiry, so it can only ever be asked for in the bucket of that expiry, and a bucket whose time has
passed is dropped whole. Nothing of it is stored: the newest log entries, which stand under the log root, say it all.
"""

from collections.abc import Mapping
from typing import Final

BUCKET_MS: Final = 10_000


class ReplayWindow:
    """Remembered transaction ids by expiry."""

    def __init__(self) -> None:
        self._buckets: dict[int, set[bytes]] = {}

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def remembers(self, transaction_id: bytes, expires_at_ms: int) -> bool:
        """Tell whether ``transaction_id`` (32 bytes), which expires at that time, was remembered."""
        bucket = self._buckets.get(expires_at_ms // BUCKET_MS)
        return bucket is not None and transaction_id in bucket

    def remember(self, expiries: Mapping[bytes, int]) -> None:
        """Remember transactions: id → expiry in ms."""
        buckets = self._buckets
        for transaction_id, expires_at_ms in expiries.items():
            number = expires_at_ms // BUCKET_MS
            bucket = buckets.get(number)
            if bucket is None:
                bucket = buckets[number] = set()
            bucket.add(transaction_id)

    def forget_until(self, time_ms: int) -> None:
        """Drop what has expired at block time ``time_ms``."""
        first_kept = time_ms // BUCKET_MS
        for number in [number for number in self._buckets if number < first_kept]:
            del self._buckets[number]
