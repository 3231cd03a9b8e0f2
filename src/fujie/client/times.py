"""Times as people read them."""

from datetime import UTC, datetime


def time_text(time_ms: int) -> str:
    """Return a block time for people, to the second, in UTC."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError):
        return f"{time_ms} ms"
