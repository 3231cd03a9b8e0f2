"""Requests of CometBFT about a block, made of the block and read back."""

from hashlib import sha256

from fujie.core.misbehaviour import Misbehaviour
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.consensus import Block


def block_of(request: abci.RequestFinalizeBlock) -> Block:
    """Return a decided block as the application is to understand it, read off the request field by field."""
    acts = tuple(
        Misbehaviour(told.type, told.validator.address, told.height, _ms(told.time), told.validator.power)
        for told in request.misbehavior
    )
    return Block(request.height, _ms(request.time), tuple(request.txs), acts)


def request_of(block: Block) -> abci.RequestFinalizeBlock:
    """Return the request by which CometBFT has a block carried out."""
    return abci.RequestFinalizeBlock(
        txs=block.transactions,
        misbehavior=[told(act) for act in block.misbehaviour],
        hash=sha256(repr(block).encode()).digest(),
        height=block.height,
        time=timestamp(block.time_ms),
        proposer_address=bytes(20),
    )


def judging(request: abci.RequestFinalizeBlock) -> abci.RequestProcessProposal:
    """Return the request by which CometBFT has a block judged before it is decided."""
    return abci.RequestProcessProposal(
        txs=request.txs,
        misbehavior=request.misbehavior,
        hash=request.hash,
        height=request.height,
        time=request.time,
        proposer_address=request.proposer_address,
    )


def told(act: Misbehaviour) -> abci.Misbehavior:
    """Return an act as CometBFT tells of it."""
    validator = abci.Validator(address=act.address, power=act.power)
    return abci.Misbehavior(
        type=act.kind, validator=validator, height=act.height, time=timestamp(act.time_ms), total_voting_power=99
    )


def timestamp(time_ms: int, nanos: int = 999_999) -> abci.Timestamp:
    """Return a block time within a millisecond: what comes after whole milliseconds counts for nothing."""
    return abci.Timestamp(seconds=time_ms // 1_000, nanos=time_ms % 1_000 * 1_000_000 + nanos)


def _ms(time: abci.Timestamp) -> int:
    return time.seconds * 1_000 + time.nanos // 1_000_000
