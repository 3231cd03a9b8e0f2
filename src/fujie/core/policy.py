"""Who may act: a set of public keys and how many of them must sign."""

from collections.abc import Collection
from typing import Annotated

from msgspec import Meta

from fujie.core.encoding import Record
from fujie.core.limits import KEYS_MAX
from fujie.core.signing import is_sound_public_key
from fujie.core.units import PublicKey


class KeyPolicy(Record, tag=1):
    """``threshold`` of ``keys`` must sign. Keys ascend and are distinct, so one policy has one encoding."""

    threshold: Annotated[int, Meta(ge=1, le=KEYS_MAX)]
    keys: Annotated[tuple[PublicKey, ...], Meta(min_length=1, max_length=KEYS_MAX)]

    def satisfied_by(self, signers: Collection[bytes]) -> bool:
        """Tell whether enough of the keys are among ``signers``, public keys whose signatures were verified."""
        if self.threshold == 1 and len(self.keys) == 1:
            return self.keys[0] in signers
        return sum(key in signers for key in self.keys) >= self.threshold

    def is_sound(self) -> bool:
        """Tell whether the threshold can be met, keys ascend strictly, and every key is in the prime-order group."""
        return (
            self.threshold <= len(self.keys)
            and all(a < b for a, b in zip(self.keys, self.keys[1:], strict=False))
            and all(is_sound_public_key(key) for key in self.keys)
        )


def single(key: bytes) -> KeyPolicy:
    """Return the policy of one key."""
    return KeyPolicy(1, (key,))


def threshold(needed: int, keys: Collection[bytes]) -> KeyPolicy:
    """Return the policy ``needed`` of ``keys``, in canonical order."""
    return KeyPolicy(needed, tuple(sorted(keys)))
