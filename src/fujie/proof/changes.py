"""How validators came after one another: the blocks at which they changed, two for each change, and what these prove.

A change is the last block that a set of validators signed, whose header announces others, and the block after it. Changes
lead on to one another up to the newest block: the validators of the second block are those of the first of a later change,
or those of the newest block (docs/spec/04-proofs.md, "Light client"; docs/spec/08-files.md, "Snapshot").
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from fujie.core.errors import VerificationError
from fujie.proof.commit import verify_commit
from fujie.proof.header import header_hash
from fujie.proof.light import verify_follows, verify_path, verify_root
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot


class Change(NamedTuple):
    """The last block of a set of validators, and the first of others."""

    last: LightBlock
    first: LightBlock


def changes_in(blocks: Sequence[LightBlock]) -> dict[bytes, Change]:
    """Return the newest change from each set of validators, by the hash of that set; ``blocks`` ascend."""
    found: dict[bytes, Change] = {}
    for last, first in pairwise(blocks):
        header = last.header
        if first.header.height == header.height + 1 and header.next_validators_hash != header.validators_hash:
            found[header.validators_hash] = Change(last, first)
    return found


def leading_on(changes: Sequence[Change], newest: LightBlock) -> list[Change]:
    """Return those of ``changes``, newest first, that lead on to the validators of ``newest``."""
    reached = {newest.header.validators_hash}
    kept: list[Change] = []
    for change in sorted(changes, key=lambda each: each.last.header.height, reverse=True):
        if change.first.header.validators_hash in reached:
            reached.add(change.last.header.validators_hash)
            kept.append(change)
    return kept


def walk(since: bytes, signers: bytes, change: Callable[[bytes], Change | None]) -> list[LightBlock] | None:
    """Return the blocks that lead from validators to others, by their hashes: from change to change, none where both are the same.

    The last one is the first of ``signers``. ``change`` returns the newest change from a set. None where they do not lead there.
    """
    blocks: list[LightBlock] = []
    at = since
    while at != signers:
        found = change(at)
        if found is None or (blocks and found.last.header.height < blocks[-1].header.height):
            return None
        blocks += found if not blocks or found.last.header.height > blocks[-1].header.height else [found.first]
        at = found.first.header.validators_hash
    return blocks


def verify_changes(chain_id: str, blocks: Sequence[LightBlock]) -> dict[bytes, Change]:
    """Check the light blocks of changes, and the newest block, which is the last; return the changes as :func:`changes_in`.

    In order, each with the name that the raised :class:`VerificationError` carries:

    1. ``snapshot-path``: heights ascend; each block but the last is of a change, and each change leads on to the last block.
    2. Of each change, newest first: ``commit-…`` of its two blocks, ``light-…`` where the second does not follow, and
       ``light-link`` where it names another block before it. The first block that CometBFT makes of a chain that grew names
       none; then both have the same app hash.

    So where the newest block is believed, all of it is: the second block of a change was signed by validators whom a later
    header names, and it names the first one.
    """
    newest = blocks[-1]
    if any(before.header.height >= block.header.height for before, block in pairwise(blocks)):
        raise VerificationError("snapshot-path", "its light blocks do not ascend by height")
    kept = leading_on(list(changes_in(blocks).values()), newest)
    used = {block.header.height for change in kept for block in change} | {newest.header.height}
    for block in blocks:
        if block.header.height not in used:
            raise VerificationError("snapshot-path", f"light block {block.header.height} leads nowhere")
    for last, first in kept:
        verify_commit(chain_id, last.validators, last.header, last.commit)
        verify_follows(last.header, last.validators, first)
        before = first.header.last_block_id.hash
        if before != header_hash(last.header) if before else first.header.app_hash != last.header.app_hash:
            raise VerificationError("light-link", f"the block at height {first.header.height} follows on another one")
    return {change.last.header.validators_hash: change for change in kept}


def verify_newest(root: TrustRoot, blocks: Sequence[LightBlock]) -> list[LightBlock]:
    """Check that ``root`` vouches for the last of ``blocks``, the newest one, by way of those before it, and for these.

    Returns the blocks of that way, the newest one included.

    In order, each with the name that the raised :class:`VerificationError` carries: those of :func:`verify_changes`;
    ``validators``: the validators of the root signed the newest block, or the first one of a change; those of
    ``light.verify_root`` and ``light.verify_path``, for the blocks from there on. Clock and trust period have no part in it.
    """
    changes, newest = verify_changes(root.chain_id, blocks), blocks[-1]
    found = walk(bytes.fromhex(root.validators_hash), newest.header.validators_hash, changes.get)
    if found is None:
        raise VerificationError("validators", "neither they nor any before them are those of the trust root")
    path = found if found and found[-1].header.height == newest.header.height else [*found, newest]
    verify_root(root, path[0])
    verify_path(path)
    return path
