"""Vectors of bundles with a path: how others came after the validators of a trust root, and what does not show it."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from fujie.core.encoding import encode
from fujie.core.limits import BUNDLE_PATH_MAX
from fujie.proof.bundle import BundleWithPath
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.trust import TrustRoot, encode_trust
from fujie.proof.validators import validator_set_hash
from tools.vector_sets.chain import CHAIN_ID, DEPTH, TIME_MS, World, header_of, set_of, sign
from tools.vector_sets.common import VALID, Case, VectorSet, case, flip, noise, vector_set

DAY_MS: Final = 86_400_000

_ALONE: Final = {9: 10}
_FOUR: Final = {1: 10, 2: 10, 3: 10, 4: 10}
_FIVE: Final = {1: 10, 2: 10, 3: 10, 4: 10, 5: 10}
_OTHERS: Final = {3: 10, 4: 10, 5: 10, 6: 10, 7: 10}
_STRANGERS: Final = {21: 10, 22: 10}
_HEAVY: Final = {1: 2**58, 2: 2**58, 3: 2**58}  # each has exactly a third
_HEAVIER: Final = {1: 2**58 + 1, 2: 2**58, 3: 2**58}

_change = msgspec.structs.replace


def build_light_paths() -> VectorSet:
    """Return vectors/light-paths.json."""
    paths = _Paths()
    _accept(paths)
    _refuse_blocks(paths)
    _refuse_following(paths)
    return vector_set(
        "Bundles of the second form and an old trust root to check them with. Valid ones say the heights of the blocks "
        "on the path and whether everybody could be held to account. Steps: docs/spec/04-proofs.md, 'Bundle'.",
        paths.cases,
    )


class _Paths:
    """The cases so far, and a world whose last header they all prove."""

    def __init__(self) -> None:
        self.world = World()
        self.cases: list[Case] = []

    def block(
        self,
        height: int,
        powers: dict[int, int],
        announced: dict[int, int] | None = None,
        signers: dict[int, int] | None = None,
        **changes: Any,
    ) -> LightBlock:
        """Return a block of ``powers``, a second after the one before it, that announces others or the same."""
        validators = set_of(powers)
        fields: dict[str, Any] = {
            "height": height,
            "time_ms": TIME_MS + height * 1_000,
            "next_validators_hash": validator_set_hash(set_of(announced or powers)),
        }
        return sign(header_of(validators, self.world.app_hash, **(fields | changes)), validators, signers or powers)

    def add(
        self,
        name: str,
        step: str,
        root: dict[int, int],
        blocks: Sequence[LightBlock],
        *,
        accountable: bool = True,
        data: bytes | None = None,
        **changes: Any,
    ) -> None:
        """Add a case: the last of ``blocks`` proves, the others are the path; ``data`` are other bytes for it."""
        trust = TrustRoot(
            chain_id=CHAIN_ID, validators_hash=validator_set_hash(set_of(root)).hex(), state_tree_depth=DEPTH
        )
        inputs: dict[str, Any] = {
            "bundle": encode(self.bundle(blocks, **changes)) if data is None else data,
            "trust_root": msgspec.json.decode(encode_trust(trust)),
        }
        if step == VALID:
            inputs["header_time_ms"] = blocks[-1].header.time_ms
            inputs["path_heights"] = [block.header.height for block in blocks[:-1]]
            inputs["accountable"] = accountable
        self.cases.append(case(name, step, **inputs))

    def bundle(self, blocks: Sequence[LightBlock], **changes: Any) -> BundleWithPath:
        """Return a bundle whose path are all ``blocks`` but the last."""
        plain = self.world.bundle(block=blocks[-1])
        fields = {field: getattr(plain, field) for field in plain.__struct_fields__}
        return BundleWithPath(**(fields | {"path": tuple(map(encode_light_block, blocks[:-1]))} | changes))


def _accept(paths: _Paths) -> None:
    add, block = paths.add, paths.block
    grown = [block(50, _ALONE, _FOUR), block(51, _FOUR)]
    add("no change, and an empty path", VALID, _FOUR, [block(80, _FOUR)])
    add("the next block, of validators who were announced", VALID, _ALONE, grown)
    add("a later block of those validators", VALID, _ALONE, [*grown, block(59, _FOUR)])
    add("one validator more, and blocks left out", VALID, _FOUR, [block(60, _FOUR), block(80, _FIVE)])
    add("three changes", VALID, _ALONE, [*grown, block(70, _FIVE), block(90, _OTHERS)])
    add("a path longer than it must be", VALID, _FOUR, [block(height, _FOUR) for height in range(60, 70)])
    add("of four validators, two went on, and signed", VALID, _FOUR, [block(60, _FOUR), block(80, _OTHERS)])
    add(
        "of heavy validators, one with more than a third went on",
        VALID,
        _HEAVIER,
        [block(60, _HEAVIER), block(80, {1: 10, 21: 10})],
    )
    add(
        "blocks left out for longer than the trust period, of the same validators",
        VALID,
        _FOUR,
        [block(60, _FOUR), block(80, _FOUR, time_ms=TIME_MS + 400 * DAY_MS)],
    )
    add(
        "announced validators who first signed after longer than the trust period",
        VALID,
        _ALONE,
        [block(50, _ALONE, _FOUR), block(51, _FOUR, time_ms=TIME_MS + 400 * DAY_MS)],
    )
    late = TIME_MS + 60_000 + 14 * DAY_MS
    add(
        "others, not announced, a trust period later",
        VALID,
        _FOUR,
        [block(60, _FOUR), block(80, _FIVE, time_ms=late)],
        accountable=False,
    )
    add(
        "others, not announced, a moment less than a trust period later",
        VALID,
        _FOUR,
        [block(60, _FOUR), block(80, _FIVE, time_ms=late - 1)],
    )


def _refuse_blocks(paths: _Paths) -> None:
    """What is wrong with the bytes, with the first block, or with a block by itself."""
    add, block = paths.add, paths.block
    first, last = block(60, _FOUR), block(80, _FIVE)
    foreign = "vectors-ffffffffffffffffffffffffffffffff"
    good = encode(paths.bundle([first, last]))
    whole = encode_light_block(first)
    add("nothing behind the items", "decode", _FOUR, [first, last], data=b"\x97" + good[1 : good.rindex(b"\x91")])
    add("trailing byte", "decode", _FOUR, [first, last], data=good + b"\x00")
    add("a form of bundles that there is not", "decode", _FOUR, [first, last], data=flip(good, 1))
    add("more blocks than a path has", "decode", _FOUR, [first, last], path=(b"",) * (BUNDLE_PATH_MAX + 1))
    add("a block of the path is none", "decode", _FOUR, [first, last], path=(b"\x0a\x00",))
    add("a block of the path with a trailing byte", "decode", _FOUR, [first, last], path=(whole + b"\x00",))
    add("bundle names another chain", "chain-id", _FOUR, [first, last], chain_id=foreign)
    add("first block of another chain", "chain-id", _FOUR, [block(60, _FOUR, chain_id=foreign), last])
    add("first block of others than the pinned validators", "validators", _ALONE, [first, last])
    add("header of others, and an empty path", "validators", _FOUR, [last])
    add("too few signed the first block", "commit-power", _FOUR, [block(60, _FOUR, signers={1: 1, 2: 1}), last])
    add("header of another chain", "header-chain", _FOUR, [first, block(80, _FIVE, chain_id=foreign)])
    misnamed = block(80, _FIVE, validators_hash=noise("other validators"))
    add("header names other validators", "validator-set", _FOUR, [first, misnamed])
    commit = last.commit
    add("commit of another height", "commit-height", _FOUR, [first, _committed(last, height=81)])
    stale = LightBlock(_change(last.header, data_hash=noise("other data")), commit, last.validators)
    add("commit for another header", "header-hash", _FOUR, [first, stale])
    entries = commit.signatures
    add("an entry less", "commit-validator", _FOUR, [first, _committed(last, signatures=entries[:-1])])
    add("entries exchanged", "commit-validator", _FOUR, [first, _committed(last, signatures=entries[::-1])])
    add("too few signed a later block", "commit-power", _FOUR, [first, block(80, _FIVE, signers={1: 1, 2: 1, 3: 1})])
    broken = tuple(_change(entry, signature=flip(entry.signature, 3)) for entry in entries[:2])
    add(
        "too few signatures of a later block verify",
        "commit-signature",
        _FOUR,
        [first, _committed(last, signatures=(*broken, *entries[2:]))],
    )
    other = block(80, _FIVE, app_hash=noise("other app hash"))
    add("the last header is of another state", "app-hash", _FOUR, [first, other])


def _refuse_following(paths: _Paths) -> None:
    """Blocks that are good by themselves, and do not follow on one another."""
    add, block = paths.add, paths.block
    first, last = block(60, _FOUR), block(80, _FIVE)
    add("the same height again", "light-height", _FOUR, [first, block(60, _FIVE, time_ms=TIME_MS + 90_000)])
    add("blocks in another order", "light-height", _FOUR, [block(90, _FOUR), last])
    add("a block on the path after the last", "light-height", _FOUR, [first, block(90, _FIVE), last])
    add("no later time", "light-time", _FOUR, [first, block(80, _FIVE, time_ms=first.header.time_ms)])
    add("the next block, of others than were announced", "light-announced", _FOUR, [first, block(61, _FIVE)])
    add(
        "the next block, of the same validators where others were announced",
        "light-announced",
        _ALONE,
        [block(50, _ALONE, _FOUR), block(51, _ALONE)],
    )
    add("strangers", "light-trust", _FOUR, [first, block(80, _STRANGERS)])
    add(
        "a later block of announced validators, of whom none was there before",
        "light-trust",
        _ALONE,
        [block(50, _ALONE, _FOUR), block(59, _FOUR)],
    )
    add("exactly a third went on", "light-trust", _HEAVY, [block(60, _HEAVY), block(80, {1: 10, 21: 10})])
    mixed = {1: 10, 2: 10, 21: 30, 22: 30}
    absent = block(80, mixed, signers={2: 10, 21: 30, 22: 30})
    add("half went on, and too few of them signed", "light-trust", _FOUR, [first, absent])
    forged = block(80, mixed)
    addresses = set(set_of(_FOUR).addresses)
    entries = tuple(
        _change(entry, signature=flip(entry.signature, 3)) if entry.validator_address in addresses else entry
        for entry in forged.commit.signatures
    )
    add("those who went on did not sign it", "light-trust", _FOUR, [first, _committed(forged, signatures=entries)])
    add("a block on the way that nobody vouches for", "light-trust", _FOUR, [first, block(70, _STRANGERS), last])


def _committed(block: LightBlock, **changes: Any) -> LightBlock:
    return LightBlock(block.header, _change(block.commit, **changes), block.validators)
