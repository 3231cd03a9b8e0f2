"""The trust root: the pinned file from which every verification starts (docs/spec/04-proofs.md, "Trust root").

It comes from whoever founded the chain, by a channel that the holder trusts; never from the server whose answers it is
used to check. It is JSON, so that people can read and compare it.
"""

import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fujie.core.errors import VerificationError
from fujie.core.transaction import ChainId
from fujie.core.units import DurationMs
from fujie.proof.merkle_state import DEPTH_MAX, DEPTH_MIN

Hex32 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]

TRUST_PERIOD_MS_DEFAULT: Final = 14 * 86_400_000  # two weeks, as light clients commonly choose
FRESHNESS_MS_DEFAULT: Final = 300_000  # five heartbeats: an honest node's newest header is at most one of them old
CLOCK_DRIFT_MS: Final = 10_000  # how far the clock of a verifier may lag behind that of the validators

_PLACE: Final = re.compile(r"`(?:\$\.)?([a-z_]+)`\Z")  # the field at fault, which ends what a decoder says


class TrustRoot(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="format", tag="fujie-trust-1"
):
    """What is taken on trust: the chain, who signs its headers, and how its state tree is shaped.

    ``chain_id`` commits to the genesis. ``validators_hash`` is the hash of the validator set in CometBFT's form.
    ``trust_period_ms`` bounds how old a header may be to vouch for a *current* state; it does not make receipts expire.
    """

    chain_id: ChainId
    validators_hash: Hex32
    state_tree_depth: Annotated[int, Meta(ge=DEPTH_MIN, le=DEPTH_MAX)]
    trust_period_ms: DurationMs = TRUST_PERIOD_MS_DEFAULT


def encode_trust(root: TrustRoot) -> bytes:
    """Return the text of a trust root file."""
    return msgspec.json.format(msgspec.json.encode(root), indent=2) + b"\n"


def decode_trust(data: bytes) -> TrustRoot:
    """Return the trust root in a file's text. Raises :class:`VerificationError` (step ``trust-root``)."""
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise VerificationError("trust-root", "no trust root: it is no JSON") from None
    # A tag may be missing where a type stands alone, so it is asked for first.
    if not isinstance(fields, dict) or "format" not in fields:
        raise VerificationError("trust-root", "no trust root: no format is named")
    try:
        return msgspec.json.decode(data, type=TrustRoot)
    except msgspec.MsgspecError as error:
        place = _PLACE.search(str(error))
        what = f"{place[1]} is missing, unknown or has another form" if place else "a field has another form"
        raise VerificationError("trust-root", f"no trust root: {what}") from None
