"""Vectors of proofs by themselves: paths of the state tree and of the log, and the past of a record."""

import weakref
from collections.abc import Sequence
from typing import Any, Final

from fujie.core.encoding import encode
from fujie.core.hashing import TAG_BUCKET, TAG_STATE_NODE, digest, version_digest
from fujie.core.versions import Standing, skip_target
from fujie.modules.membership.records import Organisation, Status
from fujie.modules.membership.state_keys import ORGANISATION
from fujie.proof.merkle_log import LogConsistencyProof, LogProof
from fujie.proof.merkle_state import (
    StateProof,
    bucket_number,
    compress_siblings,
    empty_digests,
    key_hash,
    value_digest,
)
from fujie.proof.past import path_to
from fujie.store.base import WriteBatch
from fujie.store.layout import Table
from fujie.store.sqlite import SqliteStore
from fujie.store.state_tree import StateTree, pack_leaf
from fujie.store.transaction_log import TransactionLog
from tools.vector_sets.common import VALID, Case, VectorSet, case, flip, noise, vector_set

State = dict[str, tuple[bytes, bytes]]
"""Path → (salt, record)."""


def tree_over(state: State, depth: int) -> StateTree:
    """Return the tree over a whole state, in a store in memory."""
    store = SqliteStore.open(None)
    tree = StateTree(store, depth)
    batch = WriteBatch()
    for path, (salt, record) in state.items():
        batch.put(Table.STATE, key_hash(path.encode()), pack_leaf(path.encode(), salt, record))
    staged = tree.stage({key_hash(path.encode()): value_digest(*leaf) for path, leaf in state.items()})
    staged.write_into(batch)
    store.commit(batch)
    tree.apply(staged)
    weakref.finalize(tree, store.close)
    return tree


class SparseTree:
    """A tree of any depth without its empty nodes: where ``StateTree`` would take a gigabyte."""

    def __init__(self, state: State, depth: int) -> None:
        self.depth = depth
        self._buckets: dict[int, bytes] = {}
        for place, value in sorted((key_hash(path.encode()), value_digest(*leaf)) for path, leaf in state.items()):
            number = bucket_number(place, depth)
            self._buckets[number] = self._buckets.get(number, b"") + place + value
        row = {number: digest(TAG_BUCKET, leaves) for number, leaves in self._buckets.items()}
        self._rows = [row]
        for empty in empty_digests(depth)[:-1]:
            parents = {number >> 1 for number in row}
            row = {at: digest(TAG_STATE_NODE, row.get(2 * at, empty), row.get(2 * at + 1, empty)) for at in parents}
            self._rows.append(row)
        self.root = row.get(0, empty_digests(depth)[depth])

    def prove(self, place: bytes) -> StateProof:
        """Return the proof of presence or absence of the key with this hash."""
        number = bucket_number(place, self.depth)
        siblings = [
            self._rows[height].get((number >> height) ^ 1, empty)
            for height, empty in enumerate(empty_digests(self.depth)[:-1])
        ]
        return StateProof(self._buckets.get(number, b""), *compress_siblings(siblings))


def log_over(entries: Sequence[bytes]) -> TransactionLog:
    """Return the log of these entries, in a store in memory."""
    store = SqliteStore.open(None)
    log = TransactionLog(store)
    staged = log.stage(entries)
    batch = WriteBatch()
    staged.write_into(batch)
    store.commit(batch)
    log.apply(staged)
    weakref.finalize(log, store.close)
    return log


def prove(tree: "Tree", path: str) -> StateProof:
    """Return the proof of presence or absence of ``path``."""
    return tree.prove(key_hash(path.encode()))


Tree = StateTree | SparseTree

# --- State ----------------------------------------------------------------------------------------------------------

_SALT: Final = noise("leaf salt")
_STATE: Final[State] = {
    f"currency/wallet/{noise(f'wallet {number}', 16).hex()}": (_SALT, b"record %d" % number) for number in range(40)
} | {f"identity/id/ZZ.156.{number}": (b"", b"city %d" % number) for number in range(11, 31)}


def build_state_proofs() -> VectorSet:
    """Return vectors/state-proofs.json."""
    cases: list[Case] = []
    present = "identity/id/ZZ.156.13"
    salted = next(path for path in _STATE if path.startswith("currency"))
    absent = "identity/id/ZZ.156.9999"
    trees: dict[int, Tree] = {depth: tree_over(_STATE, depth) for depth in (4, 7, 12)}
    trees |= {depth: SparseTree(_STATE, depth) for depth in (18, 24)}
    for depth, tree in trees.items():
        cases += [
            _inclusion(f"depth {depth}: record without salt", VALID, tree, present),
            _inclusion(f"depth {depth}: record with salt", VALID, tree, salted),
            _exclusion(f"depth {depth}: nothing there", VALID, tree, absent),
        ]
    empty = tree_over({}, 4)
    cases.append(_exclusion("empty tree: nothing there", VALID, empty, absent))
    cases.append(_inclusion("one leaf in the tree", VALID, SparseTree({present: (b"", b"city")}, 18), present, b"city"))
    cases += _tampered_inclusions(trees[4], present, salted)
    cases += _tampered_exclusions(trees[4], trees[18], absent, present)
    return vector_set(
        "Proofs of the state tree. Inclusion: `record` with `salt` stands at `path` under `root`. Exclusion: nothing "
        "stands at `path`. `depth` comes from the trust root; `proof` is a StateProof.",
        cases,
    )


def _inclusion(name: str, step: str, tree: Tree, path: str, record: bytes | None = None, **changes: Any) -> Case:
    salt, stored = _STATE[path]
    inputs: dict[str, Any] = {
        "kind": "inclusion",
        "depth": tree.depth,
        "root": tree.root,
        "path": path,
        "salt": salt,
        "record": stored if record is None else record,
        "proof": prove(tree, path),
    } | changes
    inputs["proof"] = encode(inputs["proof"])
    return case(name, step, **inputs)


def _exclusion(name: str, step: str, tree: Tree, path: str, **changes: Any) -> Case:
    inputs: dict[str, Any] = {
        "kind": "exclusion",
        "depth": tree.depth,
        "root": tree.root,
        "path": path,
        "proof": prove(tree, path),
    } | changes
    inputs["proof"] = encode(inputs["proof"])
    return case(name, step, **inputs)


def _tampered_inclusions(tree: Tree, path: str, salted: str) -> list[Case]:
    good = prove(tree, path)
    leaves, bitmap, siblings = good.leaves, good.present, good.siblings
    assert len(leaves) > 64
    other = next(one for one in _STATE if prove(tree, one).leaves != leaves)
    without = b"".join(
        leaves[at : at + 64] for at in range(0, len(leaves), 64) if leaves[at : at + 32] != key_hash(path.encode())
    )
    number = bucket_number(key_hash(path.encode()), 4)
    stranger = bytes(((number ^ 1) << 4,)) + bytes(63)

    def with_proof(name: str, step: str, leaves: bytes, bitmap: bytes, siblings: bytes) -> Case:
        return _inclusion(name, step, tree, path, proof=StateProof(leaves, bitmap, siblings))

    return [
        _inclusion("depth below 4", "state-depth", tree, path, depth=3),
        _inclusion("depth above 24", "state-depth", tree, path, depth=25),
        _inclusion("salt of 31 bytes", "state-salt", tree, salted, salt=_SALT[:31]),
        _inclusion("salt left out", "state-leaf", tree, salted, salt=b""),
        _inclusion("salt altered", "state-leaf", tree, salted, salt=flip(_SALT, 5)),
        _inclusion("record altered", "state-leaf", tree, path, record=b"city 99"),
        _inclusion("record of another path of the same bucket", "state-leaf", tree, path, record=b"city 14"),
        _inclusion("proof of another bucket", "state-bucket", tree, path, proof=prove(tree, other)),
        with_proof("leaf left out of the bucket", "state-leaf", without, bitmap, siblings),
        with_proof("other leaf left out of the bucket", "state-root", _keep_only(leaves, path), bitmap, siblings),
        with_proof("leaves descending", "state-bucket", _reversed(leaves), bitmap, siblings),
        with_proof("leaf twice", "state-bucket", leaves[:64] + leaves, bitmap, siblings),
        with_proof("bucket cut off", "state-bucket", leaves[:-1], bitmap, siblings),
        with_proof("leaf of another bucket", "state-bucket", b"".join(sorted((stranger, leaves))), bitmap, siblings),
        with_proof("bitmap of no byte", "state-path", leaves, b"", siblings),
        with_proof("bitmap of two bytes", "state-path", leaves, bitmap + b"\x00", siblings),
        with_proof("bitmap with a bit beyond the depth", "state-path", leaves, flip(bitmap, 0, 16), siblings),
        with_proof("sibling not told by the bitmap", "state-path", leaves, flip(bitmap, 0), siblings),
        with_proof("sibling cut off", "state-path", leaves, bitmap, siblings[:-1]),
        with_proof("sibling altered", "state-root", leaves, bitmap, flip(siblings, 40)),
        with_proof(
            "siblings in another order", "state-root", leaves, bitmap, siblings[32:64] + siblings[:32] + siblings[64:]
        ),
        _inclusion("root altered", "state-root", tree, path, root=flip(tree.root, 0)),
        _inclusion(
            "value digest altered",
            "state-leaf",
            tree,
            path,
            proof=StateProof(_alter_value(leaves, path), bitmap, siblings),
        ),
        _inclusion("depth of another chain", "state-bucket", tree, path, depth=9),
    ]


def _tampered_exclusions(tree: Tree, sparse: Tree, absent: str, present: str) -> list[Case]:
    good, thin = prove(tree, absent), prove(sparse, absent)
    hidden = prove(tree, present)
    cut = _without(hidden.leaves, present)
    at = next(height for height in range(18) if not thin.present[height >> 3] >> (height & 7) & 1)
    given = sum(thin.present[height >> 3] >> (height & 7) & 1 for height in range(at))
    bitmap = flip(thin.present, at >> 3, 1 << (at & 7))
    written = thin.siblings[: given * 32] + empty_digests(18)[at] + thin.siblings[given * 32 :]
    return [
        _exclusion("exclusion of what stands there", "state-leaf", tree, present),
        _exclusion(
            "what stands there is hidden",
            "state-root",
            tree,
            present,
            proof=StateProof(cut, hidden.present, hidden.siblings),
        ),
        _exclusion("proof of another path", "state-bucket", tree, absent, proof=_of_other_bucket(tree, good)),
        _exclusion(
            "empty subtree written out", "state-path", sparse, absent, proof=StateProof(thin.leaves, bitmap, written)
        ),
        _exclusion("old root", "state-root", tree, absent, root=tree_over({}, 4).root),
    ]


def _of_other_bucket(tree: Tree, proof: StateProof) -> StateProof:
    return next(other for path in _STATE if (other := prove(tree, path)).leaves not in (proof.leaves, b""))


def _leaves(joined: bytes) -> list[bytes]:
    return [joined[at : at + 64] for at in range(0, len(joined), 64)]


def _without(leaves: bytes, path: str) -> bytes:
    return b"".join(leaf for leaf in _leaves(leaves) if leaf[:32] != key_hash(path.encode()))


def _keep_only(leaves: bytes, path: str) -> bytes:
    return b"".join(leaf for leaf in _leaves(leaves) if leaf[:32] == key_hash(path.encode()))


def _reversed(leaves: bytes) -> bytes:
    return b"".join(_leaves(leaves)[::-1])


def _alter_value(leaves: bytes, path: str) -> bytes:
    at = leaves.index(key_hash(path.encode()))
    return flip(leaves, at + 40)


# --- Log ------------------------------------------------------------------------------------------------------------

_ENTRIES: Final = [noise(f"entry {number}") for number in range(300)]


def build_log_proofs() -> VectorSet:
    """Return vectors/log-proofs.json."""
    log = log_over(_ENTRIES)
    cases: list[Case] = []
    for index, size in ((0, 1), (0, 2), (1, 2), (2, 3), (6, 7), (3, 8), (255, 256), (256, 257), (100, 300), (299, 300)):
        cases.append(_included(log, f"entry {index} of {size}", VALID, index, size))
    for old, new in (
        (0, 0),
        (0, 7),
        (1, 1),
        (1, 2),
        (3, 7),
        (4, 7),
        (6, 8),
        (8, 8),
        (256, 300),
        (100, 300),
        (299, 300),
    ):
        cases.append(_consistent(log, f"{old} entries begin {new}", VALID, old, new))
    cases += _tampered_log_inclusions(log)
    cases += _tampered_log_consistencies(log)
    return vector_set(
        "Proofs of the transaction log. Inclusion: `entry` stands in the log of `size` entries with `root`. "
        "Consistency: the log of `old_size` and `old_root` is the beginning of the one of `size` and `root`. `proof` is "
        "a LogProof or a LogConsistencyProof.",
        cases,
        "Made by tools/make_vectors.py; the tree is the one of RFC 9162, section 2.1.",
    )


def _included(log: TransactionLog, name: str, step: str, index: int, size: int, **changes: Any) -> Case:
    inputs: dict[str, Any] = {
        "kind": "inclusion",
        "size": size,
        "root": log.root_at(size),
        "entry": _ENTRIES[index],
        "proof": log.prove_inclusion(index, size),
    } | changes
    inputs["proof"] = encode(inputs["proof"])
    return case(name, step, **inputs)


def _consistent(log: TransactionLog, name: str, step: str, old: int, new: int, **changes: Any) -> Case:
    inputs: dict[str, Any] = {
        "kind": "consistency",
        "old_size": old,
        "old_root": log.root_at(old),
        "size": new,
        "root": log.root_at(new),
        "proof": log.prove_consistency(old, new),
    } | changes
    inputs["proof"] = encode(inputs["proof"])
    return case(name, step, **inputs)


def _tampered_log_inclusions(log: TransactionLog) -> list[Case]:
    index, size = 100, 300
    path = log.prove_inclusion(index, size).path

    def refused(
        name: str, step: str, index_: int = index, size_: int = size, path_: bytes = path, **changes: Any
    ) -> Case:
        return _included(log, name, step, index, size, proof=LogProof(index_, size_, path_), **changes)

    return [
        refused("proof for another size", "log-size", size_=299),
        refused("index beyond the end", "log-index", index_=300),
        refused("index of the neighbour", "log-root", index_=101),
        refused("another entry", "log-root", entry=_ENTRIES[101]),
        refused("node altered", "log-root", path_=flip(path, 33)),
        refused("first node left out", "log-path", path_=path[32:]),
        refused("last node left out", "log-path", path_=path[:-32]),
        refused("node added", "log-path", path_=path + path[:32]),
        refused("path cut off within a node", "log-path", path_=path[:-1]),
        refused("no path", "log-path", path_=b""),
        refused("sixty-five nodes", "log-path", path_=path[:32] * 65),
        refused("another root", "log-root", root=log.root_at(299)),
        _included(log, "a node given as an entry", "log-root", 0, 2, entry=log.root_at(2)),
    ]


def _tampered_log_consistencies(log: TransactionLog) -> list[Case]:
    old, new = 100, 300
    path = log.prove_consistency(old, new).path

    def refused(name: str, step: str, old_: int = old, new_: int = new, path_: bytes = path, **changes: Any) -> Case:
        return _consistent(log, name, step, old, new, proof=LogConsistencyProof(old_, new_, path_), **changes)

    return [
        refused("consistency proof for another old size", "log-size", old_=99),
        refused("consistency proof for another size", "log-size", new_=299),
        refused("log that shrinks", "log-size", old_=300, new_=100, old_size=300, size=100),
        refused("another old root", "log-old-root", old_root=log.root_at(99)),
        refused("another new root", "log-root", root=log.root_at(299)),
        refused("consistency path without its last node", "log-path", path_=path[:-32]),
        refused("consistency path with a node more", "log-path", path_=path + path[:32]),
        refused("no consistency path", "log-path", path_=b""),
        refused("consistency path cut off within a node", "log-path", path_=path[:-1]),
        _consistent(log, "path where none is needed", "log-path", 8, 8, proof=LogConsistencyProof(8, 8, path[:32])),
        _consistent(log, "equal sizes, other roots", "log-old-root", 8, 8, old_root=log.root_at(7)),
        _consistent(log, "empty log with another root", "log-old-root", 0, 7, old_root=log.root_at(1)),
    ]


# --- The past -------------------------------------------------------------------------------------------------------

_CREATED_MS: Final = 1_750_000_000_000


def history(versions: int, name: str = "sjz") -> list[Organisation]:
    """Return the versions of a record, oldest first, one minute apart, linked as the ledger links them."""
    made: list[Organisation] = []
    for number in range(1, versions + 1):
        target = skip_target(number)
        standing = Standing(
            number,
            10 * number,
            _CREATED_MS + 60_000 * (number - 1),
            10,
            _CREATED_MS,
            version_digest(encode(made[-1])) if made else b"",
            version_digest(encode(made[target - 1])) if target else b"",
        )
        made.append(Organisation(name, f"Title {number}", Status.ACTIVE, 1, standing))
    return made


def build_versions() -> VectorSet:
    """Return vectors/versions.json."""
    past = history(20)
    kept = {version_digest(encode(one)): encode(one) for one in past}
    now = past[-1]
    cases: list[Case] = []
    for number in (20, 19, 18, 15, 14, 10, 8, 7, 2, 1):
        for after_ms in (0, 59_999):
            time_ms = past[number - 1].standing.since_ms + after_ms
            path = path_to(now, time_ms, kept.get, ORGANISATION)
            cases.append(
                _asked(f"version {number}, {after_ms} ms after it began", VALID, now, path, time_ms, past[number - 1])
            )
    cases.append(_asked("before it was created", VALID, now, [], _CREATED_MS - 1, None))
    cases.append(_asked("only version", VALID, past[0], [], _CREATED_MS, past[0]))
    cases += _tampered_versions(past, kept)
    return vector_set(
        "The past of a record (docs/spec/04-proofs.md, 'The past'). `record` stands in state now, `versions` are older "
        "ones, newest first; `in_force` is the one in force at `time_ms`, null when there was none. The records are of "
        "type Organisation; its field `name` is the subject, on which all must agree.",
        cases,
    )


def _asked(
    name: str, step: str, record: Organisation, path: list[bytes], time_ms: int, answer: Organisation | None = None
) -> Case:
    inputs: dict[str, Any] = {"record": encode(record), "versions": [one.hex() for one in path], "time_ms": time_ms}
    if step == VALID:
        inputs["in_force"] = None if answer is None else encode(answer)
    return case(name, step, **inputs)


def _tampered_versions(past: list[Organisation], kept: dict[bytes, bytes]) -> list[Case]:
    now = past[-1]
    old_ms = past[4].standing.since_ms
    path = path_to(now, old_ms, kept.get, ORGANISATION)
    data = [encode(one) for one in past]

    def linked(before: Organisation | bytes, **standing: Any) -> Organisation:
        """Return version 20 with links to ``before`` as version 19, and other changes."""
        fields = {name: getattr(now.standing, name) for name in Standing.__struct_fields__}
        older = before if isinstance(before, bytes) else encode(before)
        fields |= {"previous": version_digest(older)} | standing
        return Organisation(now.name, now.title, now.status, now.accounts, Standing(**fields))

    def nineteen(**standing: Any) -> Organisation:
        fields = {name: getattr(past[18].standing, name) for name in Standing.__struct_fields__} | standing
        return Organisation(past[18].name, past[18].title, Status.ACTIVE, 1, Standing(**fields))

    before_ms = past[18].standing.since_ms

    def through(name: str, step: str, before: Organisation | bytes) -> Case:
        older = before if isinstance(before, bytes) else encode(before)
        return _asked(name, step, linked(before), [older], before_ms)

    stranger = Organisation("bj", past[18].title, Status.ACTIVE, 1, past[18].standing)
    unlinked = Standing(20, 200, now.standing.since_ms, 10, _CREATED_MS, b"", b"")
    return [
        _asked("more versions than a path may have", "past-length", now, [data[0]] * 129, old_ms),
        _asked("links missing", "past-standing", Organisation("sjz", "x", Status.ACTIVE, 1, unlinked), [], old_ms),
        _asked("number zero", "past-standing", linked(data[18], number=0), [], old_ms),
        _asked(
            "created after it stands",
            "past-standing",
            linked(data[18], created_ms=now.standing.since_ms + 1),
            [],
            old_ms,
        ),
        _asked("version more than needed", "past-needless", now, [data[18]], now.standing.since_ms),
        _asked("version although it did not exist", "past-needless", now, [data[18]], _CREATED_MS - 1),
        _asked("last version twice", "past-needless", now, [*path, path[-1]], old_ms),
        _asked("version altered", "past-link", now, [flip(path[0], 5), *path[1:]], old_ms),
        _asked("version left out", "past-link", now, path[1:], old_ms),
        _asked("versions in another order", "past-link", now, path[::-1], old_ms),
        through("no record", "past-decode", b"\x91\x01"),
        through("record with a trailing byte", "past-decode", data[18] + b"\x00"),
        through("link to another number", "past-number", past[17]),
        through("another creation", "past-created", nineteen(created_ms=_CREATED_MS + 1)),
        through("stands since later than its successor", "past-time", nineteen(since_ms=now.standing.since_ms + 1)),
        through("old version contradicts itself", "past-standing", nineteen(previous=b"")),
        through("about something else", "past-subject", stranger),
        _asked("path ends too early", "past-incomplete", now, path[:-1], old_ms),
        _asked("no path", "past-incomplete", now, [], old_ms),
        _asked("leap over the version that shows the end", "past-incomplete", *_leap(past, kept)),
    ]


def _leap(past: list[Organisation], kept: dict[bytes, bytes]) -> tuple[Organisation, list[bytes], int]:
    """Return a record, a path and a time at which the path leaps to a version that may have ended before."""
    now = past[14]  # version 15, whose further link leads to none; 14 leads to 7
    assert skip_target(14) == 7
    return now, [encode(past[13]), encode(past[6])], past[6].standing.since_ms
