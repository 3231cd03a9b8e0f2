"""What to do about a refusal: every reason of the ledger belongs to one kind of advice, which is one sentence.

The sentences are English and stand in ``data/advice.json`` beside the names of the reasons; the interface, the program
and the console all say them. Other languages of the console have theirs in its catalogues.
"""

from functools import cache
from importlib import resources

import msgspec

from fujie.core.errors import Reason


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of advice: its sentence, and the names of the reasons that it helps with."""

    advice: str
    reasons: tuple[str, ...]


@cache
def kinds() -> dict[str, Kind]:
    """Return every kind of advice by its name."""
    data = resources.files("fujie").joinpath("data", "advice.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Kind])


def kind_of(name: str) -> str | None:
    """Return the kind of advice for the reason of this name; None where the ledger has no such reason."""
    return _kind_by_reason().get(name)


def advice_of(reason: Reason) -> str:
    """Return the sentence that says what to do about a reason."""
    return kinds()[_kind_by_reason()[reason.name]].advice


@cache
def _kind_by_reason() -> dict[str, str]:
    return {reason: name for name, kind in kinds().items() for reason in kind.reasons}
