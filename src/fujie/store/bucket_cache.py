"""Contents of state buckets in memory, within a bound of bytes."""

from typing import Final

BUCKET_OVERHEAD_BYTES: Final = 160  # a bytes object, an int, a dict entry: measured at 262,144 buckets


class BucketCache:
    """Bucket number -> its leaves, joined. An empty bucket is never held.

    ``size_bytes`` counts contents and overhead. It passes ``size_bytes_max`` only between ``put`` and ``evict``. One
    thread at a time changes it; ``get`` is safe beside that.
    """

    __slots__ = ("buckets", "get", "size_bytes", "size_bytes_max")

    def __init__(self, size_bytes_max: int) -> None:
        self.size_bytes_max = size_bytes_max
        self.size_bytes = 0
        self.buckets: dict[int, bytes] = {}  # in the order in which they were first put
        self.get = self.buckets.get

    def put(self, number: int, bucket: bytes) -> None:
        """Hold ``bucket`` in place of what was held of it; an empty one is dropped."""
        previous = self.buckets.get(number)
        if bucket:
            self.buckets[number] = bucket
            self.size_bytes += len(bucket) + BUCKET_OVERHEAD_BYTES
        elif previous is not None:
            del self.buckets[number]
        if previous is not None:
            self.size_bytes -= len(previous) + BUCKET_OVERHEAD_BYTES

    def evict(self) -> None:
        """Drop the buckets that were put first until the cache is an eighth below its bound, if it is above.

        In rounds and not one by one: the first entry of a dict is found past every deleted one, so single evictions
        would take quadratic time.
        """
        if self.size_bytes <= self.size_bytes_max:
            return
        target = self.size_bytes_max - self.size_bytes_max // 8
        victims = []
        freed = 0
        for number, bucket in self.buckets.items():
            if self.size_bytes - freed <= target:
                break
            victims.append(number)
            freed += len(bucket) + BUCKET_OVERHEAD_BYTES
        for number in victims:
            del self.buckets[number]
        self.size_bytes -= freed
