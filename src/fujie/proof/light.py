"""The rules of a light client: which header may be believed because another one is.

A header that is believed vouches for two validator sets, its own and the one after it. A later header is believed when
more than two thirds of its own validators signed it, and either it is the next one and its validators are those that were
announced (*adjacent*), or more than a third of the power that is believed signed it as well (*skipping*): among them is at
least one who is honest, as long as less than a third are not and the trust period has not passed. Within that period
whoever signs two headers of one height can still be held to account; after it, nothing is believed for its sake. An
earlier header is believed when the one after it names its hash (*backwards*).

Source: CometBFT 0.38 specification, "Light client", "Verification"; docs/spec/04-proofs.md, "Light client".
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from fujie.core.errors import VerificationError
from fujie.core.wording import span
from fujie.proof.commit import verify_commit, verify_commit_trusting
from fujie.proof.header import NANOSECONDS_PER_MS, Header, header_hash, header_problem
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import CLOCK_DRIFT_MS, TRUST_PERIOD_MS_DEFAULT, TrustRoot
from fujie.proof.validators import ValidatorSet, validator_set_hash, validator_set_problem
from fujie.proof.vote import commit_problem


class NotEnoughTrust(VerificationError):
    """Too little of the power that is believed signed a header that lies further on. Its step is ``light-trust``.

    Its own validators signed it, so it may be good: one in between may be believed, and this one for its sake.
    """

    def __init__(self, detail: str) -> None:
        super().__init__("light-trust", detail)


class Expired(VerificationError):
    """The believed header is older than the trust period and vouches for nothing more. Its step is ``light-expired``."""

    def __init__(self, detail: str) -> None:
        super().__init__("light-expired", detail)


class TrustLevel(msgspec.Struct, frozen=True):
    """The fraction of believed power, 1/3 to 1, of which *more* must have signed a header for headers to be skipped.

    Nobody has more than all of it: with 1 no header is ever skipped. Raises ValueError for another fraction.
    """

    numerator: int = 1
    denominator: int = 3

    def __post_init__(self) -> None:
        if not (self.denominator > 0 and self.denominator <= 3 * self.numerator and self.numerator <= self.denominator):
            raise ValueError(f"{self.numerator}/{self.denominator} is not a trust level of 1/3 to 1")


ONE_THIRD: Final = TrustLevel()


class Terms(msgspec.Struct, frozen=True):
    """On which terms headers are believed: for how long, by how much power, and how far ahead a clock may be."""

    trust_period_ms: int = TRUST_PERIOD_MS_DEFAULT
    level: TrustLevel = ONE_THIRD
    clock_drift_ms: int = CLOCK_DRIFT_MS


class TrustedHeader(NamedTuple):
    """A header that is taken on trust, by height and 32-byte hash: the other way, beside a trust root, to begin."""

    chain_id: str
    height: int
    header_hash: bytes
    trust_period_ms: int = TRUST_PERIOD_MS_DEFAULT


Root = TrustRoot | TrustedHeader

STANDARD: Final = Terms()


def verify(trusted: Header, validators: ValidatorSet, block: LightBlock, now_ms: int, terms: Terms = STANDARD) -> None:
    """Check that ``block`` may be believed at ``now_ms`` because ``trusted``, an earlier header, is.

    ``validators`` are those of ``trusted`` or those that it announces. In order, each with the name that the raised
    :class:`VerificationError` carries:

    1. ``light-expired`` (:class:`Expired`): ``trusted`` is younger than the trust period.
    2. ``light-future``: the time of ``block`` lies no further ahead than clocks may differ.
    3. What :func:`verify_follows` checks.

    The caller still owes: why it believes ``trusted``, and whether ``block`` is recent enough for its purpose.
    """
    if expired(trusted, now_ms, terms):
        raise Expired(
            f"block {trusted.height} is {span(now_ms - trusted.time_ms)} old, and vouches for others for {span(terms.trust_period_ms)}"
        )
    if block.header.time_ns >= (now_ms + terms.clock_drift_ms) * NANOSECONDS_PER_MS:
        raise VerificationError(
            "light-future", f"the header lies {span(block.header.time_ms - now_ms)} in the future of this clock"
        )
    verify_follows(trusted, validators, block, terms.level)


def verify_follows(trusted: Header, validators: ValidatorSet, block: LightBlock, level: TrustLevel = ONE_THIRD) -> None:
    """Check that the validators whom ``trusted`` vouches for signed ``block``, whenever that was.

    In order, each with the name that the raised :class:`VerificationError` carries:

    1. ``light-height``, ``light-time``: height and time lie after those of ``trusted``.
    2. Of the next block, ``light-announced``: its validators are those that ``trusted`` announces. Of a later one,
       ``light-validators``: ``validators`` are those of ``trusted`` or the announced ones.
    3. ``header-…``, ``validator-set``, ``commit-…``: it is of the chain of ``trusted``, and more than two thirds of its
       own validators signed it (``commit.verify_commit``).
    4. Of a later one, ``light-trust`` (:class:`NotEnoughTrust`): more than ``level`` of the power of ``validators`` signed
       it. CometBFT asks this before 3, and says it of headers as well that can never be good.

    A signature that only CometBFT accepts counts in neither: another commit of the same header, or a header in between,
    may do. The caller still owes what :func:`verify` adds.
    """
    header, commit = block.header, block.commit
    if header.height <= trusted.height:
        raise VerificationError("light-height", f"height {header.height} does not lie after height {trusted.height}")
    if header.time_ns <= trusted.time_ns:
        raise VerificationError("light-time", f"height {header.height} is not of later than height {trusted.height}")
    adjacent = header.height == trusted.height + 1
    if adjacent and header.validators_hash != trusted.next_validators_hash:
        raise VerificationError("light-announced", "not the validators that the header before announces")
    if not adjacent and validator_set_hash(validators) not in (trusted.validators_hash, trusted.next_validators_hash):
        raise VerificationError("light-validators", "not the validators that the believed header names")
    verify_commit(trusted.chain_id, block.validators, header, commit)
    if not adjacent:
        _require_trust(trusted.chain_id, validators, block, level)


def verify_backwards(trusted: Header, block: LightBlock) -> None:
    """Check that ``block`` is the one before ``trusted``, which names its hash. Its signatures are not needed.

    In order, each with the name that the raised :class:`VerificationError` carries: ``header-form``, ``validator-set``,
    ``commit-form``, ``header-hash``: header, validators and commit of ``block`` belong to one another; ``header-chain``:
    it is of the same chain; ``light-height``: its height is one less; ``light-link``: ``trusted`` follows on it;
    ``light-time``: its time lies before.
    """
    header = block.header
    _require_whole(block)
    if header.chain_id != trusted.chain_id:
        raise VerificationError("header-chain", f"header is of chain {header.chain_id!r}, not {trusted.chain_id!r}")
    if header.height != trusted.height - 1:
        raise VerificationError("light-height", f"height {header.height} is not the one before {trusted.height}")
    if header_hash(header) != trusted.last_block_id.hash:
        raise VerificationError("light-link", f"the block at height {trusted.height} follows on another one")
    if header.time_ns >= trusted.time_ns:
        raise VerificationError("light-time", f"height {header.height} is not of earlier than height {trusted.height}")


def verify_root(root: Root, block: LightBlock) -> None:
    """Check that ``root`` vouches for ``block``, from which everything else is then believed.

    In order, each with the name that the raised :class:`VerificationError` carries: ``chain-id``; of a trust root,
    ``validators``: the validators are the pinned ones; of a header, ``light-root``: height and hash are the pinned ones;
    ``header-…``, ``validator-set``, ``commit-…``: its own validators signed it.
    """
    if block.header.chain_id != root.chain_id:
        raise VerificationError("chain-id", f"a block is of chain {block.header.chain_id!r}, not {root.chain_id!r}")
    if isinstance(root, TrustRoot):
        if validator_set_hash(block.validators).hex() != root.validators_hash:
            raise VerificationError("validators", f"height {block.header.height} has other validators than the root")
    elif (block.header.height, header_hash(block.header)) != (root.height, root.header_hash):
        raise VerificationError("light-root", f"height {block.header.height} is not the header that was pinned")
    verify_commit(root.chain_id, block.validators, block.header, block.commit)


def verify_path(blocks: Sequence[LightBlock], level: TrustLevel = ONE_THIRD) -> None:
    """Check that each of ``blocks`` follows on the one before it. Raises as :func:`verify_follows`."""
    for before, block in pairwise(blocks):
        verify_follows(before.header, before.validators, block, level)


def shortened(
    blocks: Sequence[LightBlock], level: TrustLevel = ONE_THIRD, period_ms: int | None = None
) -> list[LightBlock]:
    """Return a path from the first to the last of ``blocks`` that leaves out what need not be shown.

    ``blocks`` ascend, and each follows on the one before it. Raises as :func:`verify_follows` where they do not. With
    ``period_ms`` nothing is left out for which signers would vouch who are no longer :func:`accountable`.
    """
    path, at, last = [blocks[0]], 0, len(blocks) - 1
    while at < last:
        reached, beyond = at, last + 1
        tried = last  # most often the validators are still the same
        while beyond - reached > 1:
            try:
                verify_follows(blocks[at].header, blocks[at].validators, blocks[tried], level)
                if period_ms is not None and tried > at + 1:
                    _require_accountable(blocks[at].header, blocks[tried].header, period_ms)
                reached = tried
            except NotEnoughTrust:
                beyond = tried
                if beyond == at + 1:
                    raise
            tried = (reached + beyond) // 2
        at = reached
        path.append(blocks[at])
    return path


def accountable(trusted: Header, header: Header, period_ms: int) -> bool:
    """Tell whether those who vouch for ``header``, which follows on ``trusted``, could be held to account when it was made.

    So they could within ``period_ms``; and so they can while they sign themselves: where the validators of ``header``
    are those of ``trusted``, or those that it announces. The times are those that the headers claim: keys that were given
    away later can sign any.
    """
    if header.validators_hash in (trusted.validators_hash, trusted.next_validators_hash):
        return True
    return header.time_ns < trusted.time_ns + period_ms * NANOSECONDS_PER_MS


def expired(trusted: Header, now_ms: int, terms: Terms = STANDARD) -> bool:
    """Tell whether a believed header is too old to vouch for another one."""
    return trusted.time_ns + terms.trust_period_ms * NANOSECONDS_PER_MS <= now_ms * NANOSECONDS_PER_MS


def _require_trust(chain_id: str, validators: ValidatorSet, block: LightBlock, level: TrustLevel) -> None:
    try:
        verify_commit_trusting(chain_id, validators, block.commit, level.numerator, level.denominator)
    except VerificationError as error:
        raise NotEnoughTrust(f"height {block.header.height}: of believed power, {error.detail}") from None


def _require_accountable(trusted: Header, header: Header, period_ms: int) -> None:
    if not accountable(trusted, header, period_ms):
        raise NotEnoughTrust(f"height {header.height} lies more than {span(period_ms)} after height {trusted.height}")


def _require_whole(block: LightBlock) -> None:
    """Check that header, validators and commit belong to one another; no signature is looked at."""
    header, commit = block.header, block.commit
    if problem := header_problem(header):
        raise VerificationError("header-form", problem)
    if problem := validator_set_problem(block.validators):
        raise VerificationError("validator-set", problem)
    if validator_set_hash(block.validators) != header.validators_hash:
        raise VerificationError("validator-set", "not the validators that the header names")
    if problem := commit_problem(commit):
        raise VerificationError("commit-form", problem)
    if (commit.height, commit.block_id.hash) != (header.height, header_hash(header)):
        raise VerificationError("header-hash", "commit is for another header")
