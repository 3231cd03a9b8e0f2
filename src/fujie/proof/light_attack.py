"""Evidence of an attack on light clients: two headers that cannot both be true, each believed for the same earlier one.

A file that anyone can check who holds a trust root or a header that stands in its path, offline and at any later time
(docs/spec/04-proofs.md, "Light client"). It says that validators broke the protocol, and which of them, where
signatures tell. Which of the two headers is the true one no file can say; honest nodes know.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from fujie.core.errors import VerificationError
from fujie.core.signing import verify as verify_signature
from fujie.core.transaction import ChainId
from fujie.proof.evidence import HexBytes
from fujie.proof.header import Header, header_hash
from fujie.proof.light import Root, verify_path, verify_root
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.validators import ValidatorSet
from fujie.proof.vote import BlockIDFlag, Commit, VoteTemplate

PATH_BLOCKS_MAX = 1_000  # in each of the three lists of a file

DETERMINED = ("validators_hash", "next_validators_hash", "consensus_hash", "app_hash", "last_results_hash")
"""Fields of a header that follow from the blocks before: who signs others invents them."""


class Kind(StrEnum):
    """How validators attacked.

    *Lunatic*: one of the headers holds what no application of the blocks before gives. *Equivocation*: two blocks that
    both could be were signed in one round. *Amnesia*: in two rounds, so that somebody forgot a lock, and signatures
    alone do not say who.
    """

    LUNATIC = "lunatic"
    EQUIVOCATION = "equivocation"
    AMNESIA = "amnesia"


class AttackFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag="fujie-light-attack-1"
):
    """``path`` ends at the last header both agree on; ``ours`` and ``theirs`` lead from there to the two headers.

    An empty path says that the trust root itself vouches for the first of both. All are light blocks in hexadecimal, by
    ascending height.
    """

    chain_id: ChainId
    path: Annotated[tuple[HexBytes, ...], Meta(max_length=PATH_BLOCKS_MAX)]
    ours: Annotated[tuple[HexBytes, ...], Meta(min_length=1, max_length=PATH_BLOCKS_MAX)]
    theirs: Annotated[tuple[HexBytes, ...], Meta(min_length=1, max_length=PATH_BLOCKS_MAX)]


class Attack(NamedTuple):
    """What a file proves: the two headers, the last one below both (None without a path), and who is to blame.

    ``both``: addresses of validators who signed both headers in one round, which no honest one does. ``ours`` and
    ``theirs``: addresses of those validators of the common header who signed each. Of a lunatic attack, all those are to
    blame who signed the header that is not true; of amnesia, some of those who signed the one of the later round.
    """

    kind: Kind
    common: Header | None
    headers: tuple[Header, Header]  # ours and theirs
    both: tuple[bytes, ...]
    ours: tuple[bytes, ...]
    theirs: tuple[bytes, ...]


def is_attack(data: bytes) -> bool:
    """Tell whether a text claims to be such a file."""
    try:
        fields: Any = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(fields, dict) and fields.get("format") == AttackFile.__struct_config__.tag


def contradict(first: Header, second: Header) -> bool:
    """Tell whether two headers of a chain cannot both be true: two of one height, or a later one of no later time."""
    if first.height == second.height:
        return header_hash(first) != header_hash(second)
    lower, higher = sorted((first, second), key=lambda header: header.height)
    return higher.time_ns <= lower.time_ns


def encode_attack(path: Sequence[LightBlock], ours: Sequence[LightBlock], theirs: Sequence[LightBlock]) -> bytes:
    """Return the text of a file of evidence; the lists as in :class:`AttackFile`."""
    lists = (tuple(encode_light_block(block).hex() for block in blocks) for blocks in (path, ours, theirs))
    return msgspec.json.format(msgspec.json.encode(AttackFile(ours[0].header.chain_id, *lists)), indent=2) + b"\n"


def check_evidence(data: bytes, root: Root) -> Attack:
    """Return what a file of evidence proves to whoever trusts ``root``, to anyone and without a node.

    Steps, each of which raises :class:`VerificationError` under its name:

    1. ``evidence-form``: the text is that of such a file. ``decode``: it holds canonical light blocks.
    2. ``chain-id``: it is of the chain of the root.
    3. ``evidence-root``: the root vouches for one block of the path, and its validators signed that (``light.verify_root``);
       without a path, for the first of ``ours`` and the first of ``theirs``.
    4. ``light-…``, ``header-…``, ``validator-set``, ``commit-…``: from there each block of the path follows on the one
       before it, and so along ``ours`` and ``theirs`` (``light.verify_follows``). No trust period counts: whoever signed
       both broke the protocol, whenever it is shown.
    5. ``evidence-same``: the last of ``ours`` and the last of ``theirs`` contradict each other.
    """
    file = decode_attack(data)
    if file.chain_id != root.chain_id:
        raise VerificationError("chain-id", f"the file is of chain {file.chain_id!r}, the root of {root.chain_id!r}")
    path, ours, theirs = (
        [decode_light_block(bytes.fromhex(text)) for text in blocks] for blocks in (file.path, file.ours, file.theirs)
    )
    believed = path[_first_believed(path, root) :] if path else []
    if not path:
        _first_believed(ours[:1], root)
        _first_believed(theirs[:1], root)
    verify_path(believed)
    verify_path([*believed[-1:], *ours])
    verify_path([*believed[-1:], *theirs])
    if not contradict(ours[-1].header, theirs[-1].header):
        raise VerificationError("evidence-same", "the two headers do not contradict each other")
    return blame(believed[-1] if believed else None, ours[-1], theirs[-1])


def blame(common: LightBlock | None, ours: LightBlock, theirs: LightBlock) -> Attack:
    """Return what kind of attack two contradicting blocks are and who of ``common`` signed them."""
    first, second = ours.header, theirs.header
    same_round = (ours.commit.height, ours.commit.round) == (theirs.commit.height, theirs.commit.round)
    if first.height != second.height or any(getattr(first, name) != getattr(second, name) for name in DETERMINED):
        kind = Kind.LUNATIC
    else:
        kind = Kind.EQUIVOCATION if same_round else Kind.AMNESIA
    chain_id = first.chain_id
    in_ours, in_theirs = (_signers(chain_id, block.commit, block.validators) for block in (ours, theirs))
    known = set((ours if common is None else common).validators.addresses)
    return Attack(
        kind,
        None if common is None else common.header,
        (first, second),
        tuple(sorted(in_ours & in_theirs)) if same_round else (),
        tuple(sorted(in_ours & known)),
        tuple(sorted(in_theirs & known)),
    )


def _signers(chain_id: str, commit: Commit, validators: ValidatorSet) -> set[bytes]:
    """Return the addresses of those whose signature for the block is valid."""
    template = VoteTemplate(chain_id, commit.height, commit.round, commit.block_id)
    return {
        entry.validator_address
        for validator, entry in zip(validators.validators, commit.signatures, strict=True)
        if entry.flag == BlockIDFlag.COMMIT
        and verify_signature(validator.public_key, template.sign_bytes(entry.time_ns), entry.signature)
    }


def _first_believed(path: Sequence[LightBlock], root: Root) -> int:
    """Return the place of the first block for which ``root`` vouches."""
    problem = VerificationError("evidence-root", "it is empty")
    for place, block in enumerate(path):
        try:
            verify_root(root, block)
        except VerificationError as error:
            problem = error
        else:
            return place
    raise VerificationError(
        "evidence-root", f"the trust root vouches for none of {len(path)} blocks ({problem.detail})"
    )


def decode_attack(data: bytes) -> AttackFile:
    """Return the file of evidence in a text, of which nothing is verified. Raises :class:`VerificationError`."""
    try:
        # A tag may be missing where a type stands alone, so it is asked for first.
        fields: Any = msgspec.json.decode(data)
        if not isinstance(fields, dict) or "format" not in fields:
            raise VerificationError("evidence-form", "not evidence of an attack: no format is named")
        return msgspec.json.decode(data, type=AttackFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise VerificationError("evidence-form", f"not evidence of an attack: {error}") from None
