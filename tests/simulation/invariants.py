"""What must hold after every step, whatever happened: held against the bare machine and against what callers were told."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from fujie.core.encoding import encode
from fujie.core.finding import Finding
from fujie.core.state import Key
from fujie.core.transaction import Receipt
from fujie.engine.cometbft import abci
from fujie.engine.executor import Executor, LogEntry
from fujie.modules.catalog import RECEIPT, codec_of
from fujie.modules.currency import state_keys as currency_keys
from fujie.proof.bundle import Bundle, Item, Logged, Present, encode_bundle, verify
from fujie.proof.header import header_hash
from fujie.proof.light_block import decode_light_block
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash
from fujie.store.base import Store
from fujie.store.layout import Table, number_key
from tests import world
from tests.engine.bare import BareChain
from tests.simulation.agreement import Decision
from tests.simulation.founding import FUNDS_MINOR, validator
from tests.world import DEPTH, INSTRUMENT, WALLETS


class ViolationError(AssertionError):
    """Something that must always hold does not."""


def require(holds: bool, claim: str) -> None:
    """Raise :class:`ViolationError` unless ``claim`` holds."""
    if not holds:
        raise ViolationError(f"violated: {claim}")


class Invariants:
    """Knows what was decided and what callers were told."""

    def __init__(self, bare: BareChain, decisions: Sequence[Decision]) -> None:
        self.acknowledged: dict[int, bytes] = {}  # log index → receipt
        self._first_app_hash = bare.app_hash
        self._first_powers = bare.powers()
        self._bare = bare
        self._decisions = decisions
        self._places: dict[bytes, int] = {}  # id → log index of what was acknowledged as carried out
        self._carried_out: set[bytes] = set()
        self._expired: set[bytes] = set()  # ids of which a caller was told that
        self._found: dict[bytes, list[Finding]] = {}  # by the digest of a state
        self._checked = 0  # decisions that were looked at by themselves
        self._balances: list[list[int]] = [self._amounts()]

    def acknowledge(self, receipt: Receipt[Any], index: int) -> None:
        """A caller is told of a receipt. Everybody is told the same of one transaction, for ever."""
        data = encode(receipt)
        require(self.acknowledged.setdefault(index, data) == data, "one place of the log has one receipt")
        if receipt.authorised:
            place = self._places.setdefault(receipt.transaction_id, index)
            require(place == index, "a transaction has one outcome")

    def expired(self, transaction_id: bytes) -> None:
        """A caller is told that a transaction has expired, and may pay anew: it was and is never carried out."""
        require(transaction_id not in self._carried_out, "what has expired was not carried out")
        self._expired.add(transaction_id)

    def decided(self) -> None:
        """Look at what the bare machine made of new decisions: its rules, too, may be wrong."""
        for decision in self._decisions[self._checked :]:
            self._checked += 1
            for data in decision.result.receipts:
                receipt = RECEIPT.decode(data)
                if receipt.authorised:
                    require(receipt.transaction_id not in self._carried_out, "an id is carried out at most once")
                    require(receipt.transaction_id not in self._expired, "what has expired is not carried out")
                    self._carried_out.add(receipt.transaction_id)
            self._balances.append(self._amounts())
            require(sum(self._balances[-1]) == FUNDS_MINOR, "no money comes or goes")

    def answered(self, height: int, answer: abci.ResponseFinalizeBlock) -> None:
        """A replica has carried out a decided block, and tells CometBFT of it."""
        decision = self._decisions[height - 1]
        require(answer.app_hash == decision.result.app_hash, f"replicas have one app hash at height {height}")
        codes = [each.code for each in answer.tx_results]
        require(codes == decision.result.codes, f"replicas have the same results at height {height}")
        powers = dict(self._powers(height - 1))
        for update in answer.validator_updates:
            powers[update.pub_key.ed25519] = update.power
        powers = {key: power for key, power in powers.items() if power}
        require(powers == self._powers(height), f"replicas name the same validators at height {height}")

    def stored(self, executor: Executor) -> None:
        """A store stands at the end of a block: it holds what was decided, and all that was acknowledged by then."""
        head = executor.head
        if head.height == 0:
            require(head.app_hash == self._first_app_hash, "the founding has one app hash")
            return
        decision = self._decisions[head.height - 1]
        block, result = decision.block, decision.result
        require(head.app_hash == result.app_hash, f"stores have one app hash at height {head.height}")
        require(head.time_ms == block.time_ms, "the time is that of the block")
        entries = executor.entries(0, head.log_size)
        newest = entries[head.log_size - len(block.transactions) :]
        require([entry.receipt for entry in newest] == result.receipts, "receipts are those of the bare machine")
        require([entry.transaction for entry in newest] == list(block.transactions), "transactions are kept")
        balances = [executor.live.get(_balance_key(wallet)) for wallet in range(WALLETS)]
        amounts = [balance.amount_minor for balance in balances if balance]
        require(amounts == self._balances[head.height], "wallets hold what they hold on the bare machine")
        findings = self._findings(executor.store)
        require(not findings, f"no invariant of a room is broken: {findings}")
        self._nothing_lost(executor, entries)

    def balance(self, bundle: Bundle, wallet: int) -> None:
        """A balance is proven: the bytes verify under a header of the chain, and say what the bare machine says."""
        height, item = self._proven(bundle)
        require(isinstance(item, Present), "a wallet's balance is proven")
        assert isinstance(item, Present)
        require(item.path == _balance_key(wallet).path, "a proof is of what was asked for")
        balance: Any = codec_of(item.path).decode(item.record)
        require(balance.amount_minor == self._balances[height - 1][wallet], "a proven balance is the right one")

    def receipt(self, bundle: Bundle, index: int) -> None:
        """A receipt is proven: the bytes verify under a header of the chain, and are those that were acknowledged."""
        _, item = self._proven(bundle)
        require(isinstance(item, Logged), "a receipt is proven")
        assert isinstance(item, Logged)
        require(item.receipt == self.acknowledged[index], "a proven receipt is the acknowledged one")

    # -- inside

    def _findings(self, store: Store) -> list[Finding]:
        """What contradicts an invariant of a room; stores that hold the same bytes are looked at once."""
        whole = sha256()
        for key, row in store.scan(Table.STATE):
            whole.update(key + len(row).to_bytes(4, "big") + row)
        found = self._found.get(whole.digest())
        if found is None:
            found = self._found[whole.digest()] = world.findings(store)
        return found

    def _nothing_lost(self, executor: Executor, entries: Sequence[LogEntry]) -> None:
        """What was acknowledged and lies within a store stands in it, with the same result, and is found by its id."""
        for index, data in self.acknowledged.items():
            if index < len(entries):
                require(entries[index].receipt == data, "no acknowledged outcome is lost")
        places = {key: place for key, place in self._places.items() if place < len(entries)}
        found = executor.store.get_many(Table.TRANSACTION_INDEX, list(places))
        wanted = [number_key(place) for place in places.values()]
        require(found == wanted, "an id leads to what was acknowledged of it")

    def _powers(self, height: int) -> Mapping[bytes, int]:
        """The validators that stand decided after a height, by key."""
        if height == 0:
            return self._first_powers
        return {validator(number).public_key: power for number, power in self._decisions[height - 1].powers.items()}

    def _amounts(self) -> list[int]:
        return [self._bare.get(_balance_key(wallet)).amount_minor for wallet in range(WALLETS)]

    def _proven(self, bundle: Bundle) -> tuple[int, Item]:
        """Verify a bundle of one item, and return the height of its header as well."""
        header = decode_light_block(bundle.light_block).header
        require(header.height <= len(self._decisions), "a proof stands under a decided header")
        known = self._decisions[header.height - 1].light
        require(header_hash(header) == header_hash(known.header), "a proof stands under a header of the chain")
        trust = TrustRoot(
            chain_id=self._bare.chain_id,
            validators_hash=validator_set_hash(known.validators).hex(),
            state_tree_depth=DEPTH,
        )
        (item,) = verify(encode_bundle(bundle), trust).items
        return header.height, item


def _balance_key(wallet: int) -> Key[Any]:
    return currency_keys.balance(world.wallet_id(wallet), INSTRUMENT)
