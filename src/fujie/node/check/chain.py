"""Every block and every log entry: in order, hashed into one another, signed, and under the log root."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fujie.core.errors import DecodeError, VerificationError
from fujie.core.transaction import SIGNED_TRANSACTION, Receipt, transaction_id
from fujie.core.wording import count
from fujie.engine.executor import LOG_ENTRY, Head, log_commitment, log_salt
from fujie.engine.mirror_blocks import link_of
from fujie.engine.stored_block import STORED_BLOCK, StoredBlock, promise_in
from fujie.modules.catalog import RECEIPT, TRANSACTION
from fujie.node.check.report import Report
from fujie.proof.block import data_hash, encode_result, make_block_id, results_hash
from fujie.proof.block_evidence import decode_evidence_list, evidence_hash
from fujie.proof.block_link import Link
from fujie.proof.commit import verify_commit
from fujie.proof.header import Header, decode_header
from fujie.proof.light_block import LightBlock
from fujie.proof.merkle_log import leaf_hash
from fujie.proof.named import NAMED_MAX, has_too_few_votes, is_signed, verify_named
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import ValidatorSet, decode_validator_set
from fujie.proof.vote import Commit, decode_commit
from fujie.store.base import ReadOnlyStore
from fujie.store.layout import Table, number_key
from fujie.store.rebuild import LogTiles


class Origin(NamedTuple):
    """Where the stored chain begins: at genesis, or at the block and log entry that a snapshot began with."""

    height: int
    first_index: int
    app_hash: bytes  # that the first header must carry; empty where a snapshot does not know it


class _Unsigned(NamedTuple):
    """A block with too few votes that count, until a later one that is signed names it."""

    block: LightBlock
    problem: str


class _Before(NamedTuple):
    """The block before, as far as the next one refers to it."""

    link: Link
    results_hash: bytes
    app_hash: bytes  # that the next header must carry, where that is known


class ChainCheck:
    """One pass over blocks and log entries, side by side."""

    def __init__(self, store: ReadOnlyStore, trust: TrustRoot, head: Head, origin: Origin, report: Report) -> None:
        self._store = store
        self._trust = trust
        self._chain_id = trust.chain_id
        self._head = head
        self._origin = origin
        self._report = report
        self._entries = store.scan(Table.LOG_ENTRIES, number_key(origin.first_index))
        self._index = origin.first_index
        self._tiles = LogTiles(store.get, origin.first_index, head.log_size)
        self._validators: dict[bytes, ValidatorSet | None] = {}
        self._unsigned: list[_Unsigned] = []  # each follows on the one before it

    def run(self) -> None:
        """Check everything; findings go into the report."""
        head, report = self._head, self._report
        before: _Before | None = None
        if self._origin.height == 1:
            founders = bytes.fromhex(self._trust.validators_hash)
            before = _Before(Link.before_the_first(0, founders), results_hash([]), self._origin.app_hash)
        height = self._origin.height
        self._skip_to_blocks()
        for key, row in self._store.scan(Table.BLOCKS, number_key(height)):
            number = int.from_bytes(key, "big")
            if number != height:
                report.find("block-is-kept", f"blocks/{height}", f"the next one stored is {number}")
                before = None
            height = number + 1
            report.blocks += 1
            before = self._block(number, row, before)
        if before is not None:
            self._see_promised(before.link)
        self._find_unsigned()
        if height != head.height + 1:
            report.find("block-is-kept", f"blocks/{height}", f"the head stands at {head.height}")
        self._rest_of_log()
        for level, tile, detail in self._tiles.problems(head.log_root):
            report.find("log-tile", f"log-tiles/{level}/{tile}", detail)
        if before is not None and before.app_hash:
            if before.app_hash != head.app_hash:
                report.find("head-is-signed", f"blocks/{height - 1}", "its header signs another app hash")
            elif head.height and before.link.time_ns // 1_000_000 != head.time_ms:
                report.find("head-is-signed", f"blocks/{height - 1}", "the head has another time")
        else:
            report.proven = False
        if not head.height:
            report.proven = False  # founded and never started: there is no header yet

    def _skip_to_blocks(self) -> None:
        """Check the entries that a snapshot keeps from before its first block: they have no block here."""
        row = self._store.get(Table.BLOCKS, number_key(self._origin.height))
        try:
            first = STORED_BLOCK.decode(row or b"").first_index
        except DecodeError:
            return
        for _ in self._take(max(first - self._index, 0)):
            pass

    def _block(self, height: int, row: bytes, before: _Before | None) -> _Before | None:
        place = f"blocks/{height}"
        try:
            stored = STORED_BLOCK.decode(row)
            header, commit = decode_header(stored.header), decode_commit(stored.commit)
        except DecodeError as error:
            self._report.find("block-is-canonical", place, error.detail)
            return None
        if stored.first_index != self._index:
            self._report.find(
                "log-entry-is-kept", place, f"it begins with entry {stored.first_index}, not {self._index}"
            )
        entries = list(self._take(stored.transactions))
        evidence = self._evidence(height, header)
        for problem in self._wrong_in(height, header, commit, stored, entries, evidence, before):
            self._report.find("block-hangs-together", place, problem)
        validators = self._validator_set(header.validators_hash)
        if before is None or not before.link.precedes(header):
            self._find_unsigned()
        if validators is None:
            self._report.find("validators-are-kept", place, f"no validator set {header.validators_hash.hex()}")
        else:
            self._votes(LightBlock(header, commit, validators))
        # What a block with transactions or evidence changes is signed by the next header; an empty one changes nothing.
        carried = header.app_hash if not stored.transactions and not evidence else b""
        several = 1 if validators is None else len(validators.validators)
        return _Before(Link.of(header, commit, several), stored.results_hash, carried)

    def _votes(self, block: LightBlock) -> None:
        """See whether a block is signed, and so names those before it that are not."""
        try:
            verify_commit(self._chain_id, block.validators, block.header, block.commit)
        except VerificationError as error:
            self._unsigned.append(_Unsigned(block, str(error)))
            # Votes that count for CometBFT alone do no harm: a later block that is signed names this one.
            if not has_too_few_votes(error) or len(self._unsigned) > NAMED_MAX:
                self._find_unsigned()
        else:
            self._see_named([block])

    def _see_named(self, following: Sequence[LightBlock]) -> None:
        """Take the blocks that are not signed for certain where those that follow on them name them, the last of which is signed."""
        row = [*(each.block for each in self._unsigned), *following]
        if len(row) == len(following):
            return
        try:
            verify_named(self._chain_id, row)
            self._unsigned.clear()
        except VerificationError:  # strangers signed it, whom one of the others announces
            self._find_unsigned()

    def _see_promised(self, newest: Link) -> None:
        """Look for what names the newest blocks among those that a mirror has seen and not carried out."""
        if not self._unsigned:
            return
        try:
            promised = promise_in(self._store.get)
            signed = bool(promised) and is_signed(self._chain_id, promised[0])
        except (DecodeError, VerificationError):
            return
        # Of a single validator, what must be named is the commit as well, which no hash of a header tells.
        links = [newest, *(link_of(block) for block in promised)]
        if promised and all(link.precedes(block.header) for link, block in zip(links, promised, strict=False)):
            self._see_named(promised)
            if not signed:
                self._report.proven = False

    def _find_unsigned(self) -> None:
        """Report the blocks that too few signed and no later one names."""
        for block, problem in self._unsigned:
            self._report.find("block-is-signed", f"blocks/{block.header.height}", problem)
        self._unsigned.clear()

    def _evidence(self, height: int, header: Header) -> tuple[bytes, ...]:
        """Return the evidence of misbehaviour in a block, and report it where it is not what the header commits to."""
        row = self._store.get(Table.EVIDENCE, number_key(height))
        try:
            evidence = () if row is None else decode_evidence_list(row)
            if evidence_hash(evidence) == header.evidence_hash:
                return evidence
            detail = "it is not what the header commits to"
        except DecodeError as error:
            detail = error.detail
        self._report.find("block-hangs-together", f"evidence/{height}", detail)
        return ()

    def _wrong_in(
        self,
        height: int,
        header: Header,
        commit: Commit,
        stored: StoredBlock,
        entries: Sequence[tuple[bytes, Receipt | None]],  # type: ignore[type-arg]  # events of any room
        evidence: Sequence[bytes],
        before: _Before | None,
    ) -> Iterator[str]:
        """Yield what does not fit between a block, its transactions and the block before."""
        raws = [raw for raw, _ in entries]
        if header.chain_id != self._chain_id or header.height != height:
            yield f"its header is of block {header.height} of {header.chain_id!r}"
        if data_hash(raws) != header.data_hash:
            yield "its transactions are not those that the header commits to"
        receipts = [receipt for _, receipt in entries if receipt is not None]
        if results_hash([encode_result(receipt.code) for receipt in receipts]) != stored.results_hash:
            yield "its receipts do not give its results hash"
        for receipt in receipts:
            if (receipt.height, receipt.time_ms) != (height, header.time_ms):
                yield f"the receipt of {receipt.transaction_id.hex()} names another height or time"
        if before is None:
            return
        yield from _wrong_after(before, header)
        votes = before.link.votes_in(header)
        if votes is not None and make_block_id(header, raws, votes, evidence) != commit.block_id:
            yield "header and transactions are not the block that was signed"

    def _take(self, count: int) -> Iterator[tuple[bytes, Receipt | None]]:  # type: ignore[type-arg]  # as above
        """Yield (signed transaction, receipt) of the next ``count`` entries, each checked by itself."""
        for _ in range(count):
            row = next(self._entries, None)
            if row is None or int.from_bytes(row[0], "big") != self._index:
                found = "the log ends" if row is None else f"the next one stored is {int.from_bytes(row[0], 'big')}"
                self._report.find("log-entry-is-kept", f"log/{self._index}", found)
                # Read on from the place where the entry should be, so that one gap is one finding.
                self._index += 1
                self._entries = self._store.scan(Table.LOG_ENTRIES, number_key(self._index))
                continue
            self._report.entries += 1
            yield self._entry(self._index, row[1])
            self._index += 1

    def _entry(self, index: int, data: bytes) -> tuple[bytes, Receipt | None]:  # type: ignore[type-arg]  # as above
        place = f"log/{index}"
        try:
            entry = LOG_ENTRY.decode(data)
        except DecodeError as error:
            self._report.find("log-entry-is-canonical", place, error.detail)
            return b"", None
        try:
            body = SIGNED_TRANSACTION.decode(entry.transaction).body
            transaction = TRANSACTION.decode(body)
            receipt = RECEIPT.decode(entry.receipt)
        except DecodeError as error:
            self._report.find("log-entry-is-canonical", place, error.detail)
            return entry.transaction, None
        identifier = transaction_id(body)
        if receipt.transaction_id != identifier or receipt.height != entry.height:
            self._report.find("receipt-of-its-transaction", place, "the receipt names another transaction or height")
        commitment = log_commitment(log_salt(transaction.nonce, identifier), identifier, entry.receipt)
        if leaf_hash(commitment) != self._tiles.node(index):
            self._report.find("log-entry-in-the-tree", place, "the log's tree holds another commitment")
        self._check_index(place, index, identifier)
        return entry.transaction, receipt

    def _check_index(self, place: str, index: int, identifier: bytes) -> None:
        """The id leads to this entry, or to another one of the same transaction."""
        data = self._store.get(Table.TRANSACTION_INDEX, identifier)
        if data == number_key(index):
            return
        row = None if data is None else self._store.get(Table.LOG_ENTRIES, data)
        try:
            same = row is not None and RECEIPT.decode(LOG_ENTRY.decode(row).receipt).transaction_id == identifier
        except DecodeError:
            same = False
        if not same:
            self._report.find("transaction-is-found", place, f"its id {identifier.hex()} does not lead to it")

    def _rest_of_log(self) -> None:
        """Whatever no block claims: entries up to the head's size that have no block, and entries beyond."""
        missing = self._head.log_size - self._index
        if missing > 0:
            self._report.find(
                "log-entry-is-kept", f"log/{self._index}", f"{count(missing, 'entry')} of the log without a block"
            )
        for key, _ in self._store.scan(Table.LOG_ENTRIES, number_key(self._head.log_size)):
            self._report.find("log-entry-is-kept", f"log/{int.from_bytes(key, 'big')}", "it lies beyond the head")

    def _validator_set(self, digest: bytes) -> ValidatorSet | None:
        if digest not in self._validators:
            data = self._store.get(Table.VALIDATORS, digest)
            try:
                self._validators[digest] = None if data is None else decode_validator_set(data)
            except DecodeError:
                self._validators[digest] = None
        return self._validators[digest]


def _wrong_after(before: _Before, header: Header) -> Iterator[str]:
    """Yield what of a header does not fit the block before."""
    if not before.link.precedes(header):
        yield "it does not follow the block before"
    if header.validators_hash != before.link.next_validators_hash:
        yield "it is signed by other validators than those who were announced for it"
    if header.last_results_hash != before.results_hash:
        yield "it names other results of the block before"
    if header.time_ns <= before.link.time_ns:
        yield "its time does not lie after that of the block before"
    if before.app_hash and header.app_hash != before.app_hash:
        yield "its app hash is not that of the state before, in which nothing changed"
