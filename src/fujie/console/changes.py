"""What changed from one version of a record to the next."""

from typing import Any, NamedTuple


class Change(NamedTuple):
    """One field: what it was (None at the first version) and what it is."""

    field: str
    before: Any
    after: Any


def changes_of(before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[Change]:
    """Return the fields that differ, in the order of the record; the standing, which always differs, is left out."""
    if before is None or after is None:
        return []
    return [
        Change(name, before.get(name), value)
        for name, value in after.items()
        if name != "standing" and before.get(name) != value
    ]
