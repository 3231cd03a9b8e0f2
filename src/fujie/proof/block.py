"""What of a block's content a header commits to: transactions, results, and the parts of the encoded block.

Data hash and results hash prove nothing to users of Fujie (the app hash does); they are computed because a header of
CometBFT has them. They run over ten thousand transactions a block, so they are written for speed.

Source: CometBFT 0.38 specification, "Data structures", sections "Block", "Data" and "PartSet"; ``LastResultsHash``.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from fujie.proof.block_evidence import encode_evidence_list
from fujie.proof.header import BlockID, Header, PartSetHeader, encode_header, header_hash
from fujie.proof.simple_merkle import merkle_root, merkle_root_of_hashes
from fujie.proof.vote import Commit, encode_commit
from fujie.proof.wire import encode_bytes, encode_integer, encode_message, encode_varint

PART_BYTES: Final = 65_536

_TRANSACTION_TAG: Final = b"\x0a"  # field 1 of tendermint.types.Data


def data_hash(transactions: Sequence[bytes]) -> bytes:
    """Return the 32-byte root over the sha256 of every transaction, in order: three sha256 for each."""
    return merkle_root_of_hashes(transactions)


def results_hash(results: Iterable[bytes]) -> bytes:
    """Return the 32-byte root over results from :func:`encode_result`: ``last_results_hash`` of the next header."""
    return merkle_root(results)


def encode_result(code: int, data: bytes = b"", gas_wanted: int = 0, gas_used: int = 0) -> bytes:
    """Return what of an ``ExecTxResult`` is hashed: code (32 bits), data, gas. Log, events and codespace are not."""
    return encode_integer(1, code) + encode_bytes(2, data) + encode_integer(5, gas_wanted) + encode_integer(6, gas_used)


def encode_block(
    header: Header, transactions: Sequence[bytes], last_commit: Commit, evidence: Sequence[bytes] = ()
) -> bytes:
    """Return the bytes of ``tendermint.types.Block``; ``evidence`` as of ``block_evidence.encode_block_evidence``.

    ``last_commit`` is for the header before; in the first block of a chain it is ``EMPTY_COMMIT``.
    """
    prefix_of_length: dict[int, bytes] = {
        length: _TRANSACTION_TAG + encode_varint(length) for length in set(map(len, transactions))
    }
    data = b"".join([prefix_of_length[len(transaction)] + transaction for transaction in transactions])
    return b"".join(
        (
            encode_message(1, encode_header(header)),
            encode_message(2, data),
            encode_message(3, encode_evidence_list(evidence)),
            encode_message(4, encode_commit(last_commit)),
        )
    )


def part_set_header(block: bytes) -> PartSetHeader:
    """Return number and 32-byte root of the 65,536-byte parts in which CometBFT sends an encoded block around."""
    parts = [block[start : start + PART_BYTES] for start in range(0, len(block), PART_BYTES)]
    return PartSetHeader(len(parts), merkle_root(parts))


def make_block_id(
    header: Header, transactions: Sequence[bytes], last_commit: Commit, evidence: Sequence[bytes] = ()
) -> BlockID:
    """Return the id that validators of the block sign."""
    return BlockID(header_hash(header), part_set_header(encode_block(header, transactions, last_commit, evidence)))
