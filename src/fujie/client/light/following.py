"""Following validators who change: what a client does about an answer that other validators signed than it knows.

The node that answered shows, by a light client, how they came to be validators. That takes a few requests, once for each
change, and none while validators stay the same.
"""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from fujie.client.light.believed import PIN_ANEW, Believed, UnknownValidators
from fujie.client.light.client import Clock, LightClient
from fujie.client.light.provider import HeightAbsent, LightProvider, TooFar
from fujie.client.light.store import DamagedStore, LightStore
from fujie.client.transport import Transport
from fujie.core.errors import OperationalError, VerificationError
from fujie.proof.light import Expired
from fujie.proof.light_block import LightBlock, decode_light_block
from fujie.proof.trust import TrustRoot

T = TypeVar("T")

FOLDER: Final = "light"  # in the folder of a client, beside what it has seen


class TransportProvider:
    """Implements ``LightProvider`` over the transport of a client: the node that answers is the one that is asked."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def name(self) -> str:
        """See ``LightProvider``."""
        return self._transport.name

    def light_block(self, height: int | None) -> LightBlock:
        """See ``LightProvider``."""
        data = self._transport.light_block(height)
        if data is None:
            raise HeightAbsent(self.name, height)
        return decode_light_block(data)

    def last_of(self, validators_hash: bytes) -> LightBlock | None:
        """See ``LightProvider``."""
        data = self._transport.last_of(validators_hash)
        return None if data is None else decode_light_block(data)


class Following:
    """Learns for ``believed`` who the validators are, from ``provider`` and compared with ``witnesses``.

    Any thread may call; of many that meet the same change one asks, and the others wait for it.
    """

    def __init__(
        self, believed: Believed, provider: LightProvider, witnesses: Sequence[LightProvider], clock: Clock
    ) -> None:
        self._believed = believed
        self._provider = provider
        self._witnesses = tuple(witnesses)
        self._clock = clock
        self._lock = threading.Lock()

    def checked(self, check: Callable[[], T]) -> T:
        """Return what ``check`` finds; where it meets unknown validators, learn who they are and check once more.

        Raises as ``check`` does, ``validators`` too where the node does not show how others came to sign, and as
        :class:`LightClient`: where two chains are signed (``DivergenceError``), where the change lies further back than
        the trust period (``light.Expired``), where what the node shows does not hold.
        """
        try:
            return check()
        except UnknownValidators as unknown:
            with self._lock:
                try:
                    return check()  # another thread may have learned it meanwhile
                except UnknownValidators:
                    self._learn(unknown)
        return check()

    def _learn(self, unknown: UnknownValidators) -> None:
        believed = self._believed
        believed.keep_newest()
        try:
            try:
                self._client(believed.store).at(unknown.height)
            except Expired:
                if not believed.knows_pinned_alone():
                    raise
                found = LightStore()  # the root vouches anew for what its validators signed last
                self._client(found).at(unknown.height)
                believed.take(found)
        except Expired as error:
            raise Expired(f"the validators changed too long ago: {error.detail}. {PIN_ANEW}") from None
        except (DamagedStore, TooFar):
            raise
        except OperationalError as error:  # it answers, and keeps back what would prove the answer
            detail = f"{unknown.detail}, and the node does not show how they came after those: {error}"
            raise VerificationError(unknown.step, detail) from None

    def _client(self, store: LightStore) -> LightClient:
        return LightClient(self._believed.root, self._provider, self._witnesses, store=store, clock=self._clock)


def store_in(folder: Path, root: TrustRoot) -> LightStore:
    """Return where a client with its files in ``folder`` keeps what it believes for the sake of ``root``.

    In memory alone where nothing can be written: then validators who changed are followed anew the next time.
    """
    if not os.access(folder, os.W_OK):
        return LightStore()
    return LightStore(folder / FOLDER / f"{root.chain_id}-{root.validators_hash[:16]}")
