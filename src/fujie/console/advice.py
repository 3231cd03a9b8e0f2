"""What to do about a refusal: every reason of the ledger belongs to one kind of advice.

``words/advice.json`` names the reasons of each kind, the catalogues say what it advises (``advice.<kind>``).
"""

from functools import cache
from importlib import resources

import msgspec

from fujie.core.errors import Reason


@cache
def kinds() -> dict[str, list[str]]:
    """Return kind of advice → names of the reasons that it helps with."""
    data = resources.files("fujie.console").joinpath("words", "advice.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, list[str]])


def advice_of(reason: Reason) -> str:
    """Return the kind of advice for a reason."""
    return _kind_by_name()[reason.name]


@cache
def _kind_by_name() -> dict[str, str]:
    return {name: kind for kind, names in kinds().items() for name in names}
