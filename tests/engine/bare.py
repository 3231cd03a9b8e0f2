"""The bare machine with its app hash, by the definitions of docs/spec: what every engine is held against.

State and log are hashed whole after every block, from their records, by nothing that a store uses.
"""

from hashlib import sha256
from typing import NamedTuple

from fujie.core.encoding import encode
from fujie.core.transaction import VerifiedBlock
from fujie.engine.admission import verify_transaction
from fujie.engine.cometbft.consensus import Block
from fujie.engine.executor import log_commitment, log_salt
from fujie.machine.genesis import Genesis
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.modules.membership.state_keys import PARAMETERS_KEY, VALIDATORS_KEY
from tests.unit.proof.naive_log import naive_root
from tests.world import MemoryChain


class Result(NamedTuple):
    """What a block must lead to, on every engine."""

    app_hash: bytes
    receipts: list[bytes]
    codes: list[int]


class BareChain(MemoryChain):
    """A chain in memory that knows its app hash."""

    def __init__(self, genesis: Genesis, schedule: Schedule = SCHEDULE) -> None:
        super().__init__(genesis, schedule)
        self.commitments: list[bytes] = []
        self._depth = self.get(PARAMETERS_KEY).state_tree_depth

    @property
    def app_hash(self) -> bytes:
        """The one commitment to state and log (docs/spec/04-proofs.md)."""
        size = len(self.commitments).to_bytes(8, "big")
        return sha256(b"\x30" + self.state_root() + naive_root(self.commitments) + size).digest()

    def state_root(self) -> bytes:
        """The root of the state tree (docs/spec/03-state.md)."""
        buckets = [b""] * (1 << self._depth)
        for key, leaf in sorted(self.leaves.values(), key=lambda item: item[0].hash):
            value = bytes((len(leaf.salt),)) + leaf.salt + encode(leaf.record)
            number = int.from_bytes(key.hash[:4], "big") >> (32 - self._depth)
            buckets[number] += key.hash + sha256(b"\x21" + value).digest()
        row = [sha256(b"\x22" + bucket).digest() for bucket in buckets]
        while len(row) > 1:
            row = [sha256(b"\x23" + row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
        return row[0]

    def decide(self, block: Block) -> Result:
        """Carry a decided block out."""
        transactions = tuple(verify_transaction(raw) for raw in block.transactions)
        verified = VerifiedBlock(self.chain_id, block.height, block.time_ms, transactions, block.misbehaviour)
        result = self.apply(verified)
        self.keep(verified, result)
        receipts = [encode(receipt) for receipt in result.receipts]
        for transaction, receipt in zip(transactions, receipts, strict=True):
            salt = log_salt(transaction.body.nonce, transaction.id)
            self.commitments.append(log_commitment(salt, transaction.id, receipt))
        return Result(self.app_hash, receipts, [receipt.code for receipt in result.receipts])

    def powers(self) -> dict[bytes, int]:
        """The validators that stand decided: public key → power."""
        return {member.public_key: member.power for member in self.get(VALIDATORS_KEY).members}
