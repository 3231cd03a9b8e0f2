"""Where a light client gets light blocks from: what it may expect of a source, which is nothing but bytes in some form."""

from typing import Protocol

from fujie.core.errors import OperationalError
from fujie.proof.light_block import LightBlock


class HeightAbsent(OperationalError):
    """The source has no block of this height: it lies ahead of it, or is not kept any more."""

    def __init__(self, name: str, height: int | None) -> None:
        where = "no block yet" if height is None else f"no block at height {height}"
        super().__init__(
            f"{name} has {where}.", "Ask again later, ask another node, or pin a header that nodes still have."
        )
        self.height = height


class TooFar(OperationalError):
    """More light blocks lie in between than this client asks for."""

    def __init__(self, low: int, high: int, fetches_max: int) -> None:
        super().__init__(
            f"From height {low} to height {high} it takes more than {fetches_max} light blocks.",
            "Allow more fetches, or pin a newer header.",
        )


class LightProvider(Protocol):
    """Any thread may call. Not trusted: it may lag, lie, and answer each time otherwise. Retried by the implementation.

    ``name`` is shown to people and in logs: it holds no secret.
    """

    @property
    def name(self) -> str:
        """What people call it, such as its URL."""
        ...

    def light_block(self, height: int | None) -> LightBlock:
        """Return the light block at ``height`` (from 1), or the newest one for None; nothing of it is verified.

        Raises :class:`HeightAbsent` where there is none, another :class:`OperationalError` when the source does not
        answer, :class:`VerificationError` for an answer that is no light block.
        """
        ...

    def last_of(self, validators_hash: bytes) -> LightBlock | None:
        """Return the last light block that the validators with this hash (32 bytes) signed before others, or the newest one
        where they still sign; nothing of it is verified. None where the source cannot say.

        Raises as :meth:`light_block`, but for :class:`HeightAbsent`.
        """
        ...
