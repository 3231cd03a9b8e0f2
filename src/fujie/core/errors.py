"""The three families of failure, told apart by who is at fault.

* :class:`Refused` — a rule of the ledger said no. It is an answer, has a number, and stands in a receipt.
* :class:`VerificationError` — a proof, signature or file does not hold. It names the step that failed.
* :class:`OperationalError` — the world is in the way (disk, network, configuration). It says what to do next.
"""

from enum import IntEnum
from typing import Self


class Reason(IntEnum):
    """A named, numbered reason to refuse. Members are declared in order of precedence; numbers are never reused.

    Numbers are unique over all rooms (room × 1000 + reason), because CometBFT hashes a result's code but not its
    codespace.
    """

    sentence: str

    def __new__(cls, number: int, sentence: str) -> Self:
        member = int.__new__(cls, number)
        member._value_ = number
        member.sentence = sentence
        return member


class FujieError(Exception):
    """Root of every error that Fujie raises on purpose."""


class Refused(FujieError):
    """A rule refuses the operation; nothing of it is written."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason.name} ({self.reason.value}): {self.reason.sentence}"


class VerificationError(FujieError):
    """Something that claims to be true does not verify. ``step`` is the name of the verification step that failed."""

    def __init__(self, step: str, detail: str) -> None:
        super().__init__(step, detail)
        self.step = step
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.step}: {self.detail}"


class DecodeError(VerificationError):
    """Bytes are not the canonical encoding of what they should be."""

    def __init__(self, detail: str) -> None:
        super().__init__("decode", detail)


class OperationalError(FujieError):
    """The environment is in the way. ``what`` happened, and what to ``do`` next."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what, do)
        self.what = what
        self.do = do

    def __str__(self) -> str:
        return f"{self.what} {self.do}"
