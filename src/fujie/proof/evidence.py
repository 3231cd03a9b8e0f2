"""Evidence against validators: files that anyone with the trust root can check, offline (docs/spec/08-files.md).

A mirror writes them. They are JSON, as the trust root is; what validators signed stands in them byte for byte. Where
others signed than the validators of the trust root, a path of blocks leads from those to the block before.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from fujie.core.errors import VerificationError
from fujie.core.transaction import ChainId
from fujie.core.wording import quoted
from fujie.proof.block import data_hash
from fujie.proof.block_evidence import evidence_hash
from fujie.proof.commit import verify_commit
from fujie.proof.light import verify_path, verify_root
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.trust import Hex32, TrustRoot
from fujie.proof.validators import validator_set_hash

HexBytes = Annotated[str, Meta(pattern=r"\A(?:[0-9a-f]{2})*\Z")]
ResultStep = Literal["app-hash", "results-hash"]

PATH_BLOCKS_MAX: Final = 1_000
Path = Annotated[tuple[HexBytes, ...], Meta(max_length=PATH_BLOCKS_MAX)]


class ForkFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="format", tag="fujie-fork-1"
):
    """Two blocks of one height. ``ours`` and ``theirs`` are light blocks, in hexadecimal; so is every one of ``path``."""

    chain_id: ChainId
    height: Annotated[int, Meta(ge=1)]
    ours: HexBytes
    theirs: HexBytes
    path: Path = ()


class ResultFile(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="format",
    tag="fujie-result-1",
):
    """A block, and the header after it, which signs another result than a mirror got by carrying the block out.

    ``block``, ``next`` and every one of ``path`` are light blocks, ``transactions`` the signed transactions of ``block``,
    ``evidence`` the evidence of misbehaviour in it (``proof.block_evidence``), in hexadecimal.
    ``ours`` is the app hash or results hash (``step``) that the mirror got.
    """

    chain_id: ChainId
    height: Annotated[int, Meta(ge=1)]
    step: ResultStep
    ours: Hex32
    block: HexBytes
    transactions: tuple[HexBytes, ...]
    next: HexBytes
    path: Path = ()
    evidence: tuple[HexBytes, ...] = ()


EvidenceFile = ForkFile | ResultFile
FORMATS: Final = ("fujie-fork-1", "fujie-result-1")


class SignedTwice(NamedTuple):
    """More than two thirds of the validators signed two blocks of one height: they broke the protocol."""

    height: int
    hashes: tuple[bytes, bytes]  # of ours and theirs
    times_ms: tuple[int, int]


class SignedResult(NamedTuple):
    """More than two thirds of the validators signed ``theirs`` as what block ``height`` gives.

    That it is wrong shows who carries the block out on the state before it: a mirror of the same chain at ``height`` - 1.
    """

    height: int
    step: str
    ours: bytes
    theirs: bytes
    transactions: int


Evidence = SignedTwice | SignedResult


def fork_file(ours: LightBlock, theirs: LightBlock, path: Sequence[LightBlock] = ()) -> ForkFile:
    """Return the evidence of a fork: two blocks of one height and chain. ``path`` as of :func:`verify_evidence`."""
    header = ours.header
    return ForkFile(header.chain_id, header.height, _hex(ours), _hex(theirs), tuple(map(_hex, path)))


def result_file(
    step: ResultStep,
    ours: bytes,
    block: LightBlock,
    transactions: Sequence[bytes],
    following: LightBlock,
    path: Sequence[LightBlock] = (),
    evidence: Sequence[bytes] = (),
) -> ResultFile:
    """Return the evidence of a result that ``following`` signs, and that is not ``ours`` (32 bytes); ``path`` as above."""
    header, raws, told = block.header, tuple(raw.hex() for raw in transactions), tuple(item.hex() for item in evidence)
    return ResultFile(
        header.chain_id,
        header.height,
        step,
        ours.hex(),
        _hex(block),
        raws,
        _hex(following),
        tuple(map(_hex, path)),
        told,
    )


def encode_evidence(file: EvidenceFile) -> bytes:
    """Return the text of a file of evidence."""
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def verify_evidence(data: bytes, trust: TrustRoot) -> Evidence:
    """Return what a file of evidence proves under ``trust``, to anyone and without a node.

    Steps, each of which raises :class:`VerificationError` under its name:

    1. ``evidence-form``: the text is that of such a file.
    2. ``decode``: its blocks are canonical light blocks.
    3. Of a path: its first block is one of the root's (``light.verify_root``), and each follows on the one before it
       (``light.verify_follows``). No trust period counts.
    4. Of each block, ``chain-id``, ``validators``: it names the chain, and the validators of the trust root, or those that
       the last of the path announces, or of the second block of a result those that the first announces; ``header-…``,
       ``validator-set``, ``commit-…``: more than two thirds of those signed it.
    5. ``evidence-height``: they are of the height that the file says, or the one after it.
    6. Of a fork, ``evidence-same``: they differ. Of a result, ``evidence-parent``: the second follows the first;
       ``evidence-data``: the transactions, and the evidence of misbehaviour, are those of the first; ``evidence-same``:
       the second signs another result.
    """
    file = decode_evidence(data)
    if file.chain_id != trust.chain_id:
        raise VerificationError(
            "chain-id", f"the file is of chain {file.chain_id!r}, the trust root of {trust.chain_id!r}"
        )
    path = [decode_light_block(bytes.fromhex(text)) for text in file.path]
    vouching = trust.validators_hash
    if path:
        verify_root(trust, path[0])
        verify_path(path)
        if path[-1].header.height != file.height - 1:
            raise VerificationError("evidence-height", f"the path ends at height {path[-1].header.height}")
        vouching = path[-1].header.next_validators_hash.hex()
    return _signed_twice(file, vouching) if isinstance(file, ForkFile) else _signed_result(file, vouching)


def decode_evidence(data: bytes) -> EvidenceFile:
    """Return the file of evidence in a text, of which nothing is verified. Raises :class:`VerificationError`."""
    try:
        # A tag may be missing where a type stands alone, so it is asked for first.
        fields: Any = msgspec.json.decode(data)
        if not isinstance(fields, dict) or "format" not in fields:
            raise VerificationError("evidence-form", "not a file of evidence: no format is named")
        if fields["format"] not in FORMATS:
            named = quoted(str(fields["format"]), 40)
            raise VerificationError("evidence-form", f"not a file of evidence: its format is {named}")
        found: EvidenceFile = msgspec.json.decode(data, type=EvidenceFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise VerificationError("evidence-form", f"not a file of evidence: {error}") from None
    return found


def _signed_twice(file: ForkFile, vouching: str) -> SignedTwice:
    ours, theirs = (_signed(text, file.height, file.chain_id, vouching) for text in (file.ours, file.theirs))
    hashes = ours.commit.block_id.hash, theirs.commit.block_id.hash
    if hashes[0] == hashes[1]:
        raise VerificationError("evidence-same", "both are the same block")
    return SignedTwice(file.height, hashes, (ours.header.time_ms, theirs.header.time_ms))


def _signed_result(file: ResultFile, vouching: str) -> SignedResult:
    block = _signed(file.block, file.height, file.chain_id, vouching)
    following = _signed(file.next, file.height + 1, file.chain_id, block.header.next_validators_hash.hex())
    if following.header.last_block_id != block.commit.block_id:
        raise VerificationError("evidence-parent", "the second block does not follow the first")
    if data_hash([bytes.fromhex(text) for text in file.transactions]) != block.header.data_hash:
        raise VerificationError("evidence-data", "the transactions are not those of the block")
    if evidence_hash([bytes.fromhex(text) for text in file.evidence]) != block.header.evidence_hash:
        raise VerificationError("evidence-data", "the evidence of misbehaviour is not that of the block")
    header, ours = following.header, bytes.fromhex(file.ours)
    theirs = header.app_hash if file.step == "app-hash" else header.last_results_hash
    if theirs == ours:
        raise VerificationError("evidence-same", "the validators signed the result that the file calls ours")
    return SignedResult(file.height, file.step, ours, theirs, len(file.transactions))


def _signed(text: str, height: int, chain_id: str, vouching: str) -> LightBlock:
    """Return a light block of ``height`` that the validators with the hash ``vouching`` signed."""
    block = decode_light_block(bytes.fromhex(text))
    if block.header.chain_id != chain_id:
        raise VerificationError("chain-id", f"a block is of chain {block.header.chain_id!r}")
    if validator_set_hash(block.validators).hex() != vouching:
        raise VerificationError("validators", "a block was signed by other validators than those who are believed")
    verify_commit(chain_id, block.validators, block.header, block.commit)
    if block.header.height != height:
        raise VerificationError("evidence-height", f"a block has height {block.header.height} instead of {height}")
    return block


def _hex(block: LightBlock) -> str:
    return encode_light_block(block).hex()
