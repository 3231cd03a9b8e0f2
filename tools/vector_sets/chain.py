"""Vectors of what stands on a signed header: light blocks, proof bundles and trust roots."""

from typing import Any, Final

import msgspec

from fujie.core.encoding import encode
from fujie.core.hashing import TAG_LOG_ENTRY, TAG_LOG_SALT, app_hash, digest
from fujie.core.transaction import Receipt, sign_transaction, transaction_id
from fujie.modules.currency.events import Paid
from fujie.proof.block import data_hash, make_block_id, results_hash
from fujie.proof.bundle import Absent, Bundle, Item, Logged, Present
from fujie.proof.commit import sign_commit
from fujie.proof.header import NIL_BLOCK_ID, BlockID, Header, consensus_params_hash, make_header
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.merkle_log import LogProof
from fujie.proof.merkle_state import StateProof
from fujie.proof.trust import TrustRoot, encode_trust
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash
from fujie.proof.vote import ABSENT, EMPTY_COMMIT, BlockIDFlag, Commit, CommitSig, VoteTemplate, commit_hash
from tools.vector_sets.common import VALID, Case, VectorSet, case, flip, key_pair, noise, vector_set
from tools.vector_sets.proofs import State, log_over, prove, tree_over
from tools.vector_sets.signing import payment

CHAIN_ID: Final = "vectors-00112233445566778899aabbccddeeff"
DEPTH: Final = 4
TIME_MS: Final = 1_750_000_000_000
NS: Final = 1_000_000

_ONE: Final = {1: 10}
_FOUR: Final = {1: 10, 2: 10, 3: 10, 4: 10}
_WEIGHTED: Final = {1: 70, 2: 10, 3: 10, 4: 10}


def set_of(powers: dict[int, int]) -> ValidatorSet:
    """Return the validators with these key numbers and powers."""
    return ValidatorSet.of(Validator(key_pair(100 + number).public_key, power) for number, power in powers.items())


def header_of(validators: ValidatorSet, hash_of_app: bytes = bytes(32), **changes: Any) -> Header:
    """Return a header of height 2 with two transactions."""
    fields: dict[str, Any] = {
        "chain_id": CHAIN_ID,
        "height": 2,
        "time_ms": TIME_MS,
        "last_block_id": _previous(),
        "last_commit_hash": commit_hash(EMPTY_COMMIT),
        "data_hash": data_hash([b"one", b"two"]),
        "validators_hash": validator_set_hash(validators),
        "next_validators_hash": validator_set_hash(validators),
        "consensus_hash": consensus_params_hash(4_194_304, -1),
        "app_hash": hash_of_app,
        "last_results_hash": results_hash([]),
        "proposer_address": validators.addresses[0],
    }
    return make_header(**(fields | changes))


def _previous() -> BlockID:
    part = msgspec.structs.replace(NIL_BLOCK_ID.part_set_header, total=1, hash=noise("previous parts"))
    return BlockID(noise("previous header"), part)


def sign(header: Header, validators: ValidatorSet, powers: dict[int, int]) -> LightBlock:
    """Return the light block in which the validators of ``powers`` have signed."""
    block_id = make_block_id(header, [b"one", b"two"], EMPTY_COMMIT)
    seeds = [key_pair(100 + number).seed for number in powers]
    return LightBlock(
        header, sign_commit(header.chain_id, header, block_id, validators, seeds, TIME_MS + 7), validators
    )


def _with_entries(block: LightBlock, *entries: CommitSig, **changes: Any) -> LightBlock:
    commit = msgspec.structs.replace(block.commit, signatures=entries or block.commit.signatures, **changes)
    return LightBlock(block.header, commit, block.validators)


# --- Light blocks ---------------------------------------------------------------------------------------------------


def build_light_blocks() -> VectorSet:
    """Return vectors/light-blocks.json."""
    cases: list[Case] = []

    def add(name: str, step: str, block: LightBlock | bytes, chain_id: str = CHAIN_ID) -> None:
        data = block if isinstance(block, bytes) else encode_light_block(block)
        cases.append(case(name, step, chain_id=chain_id, light_block=data))

    one, four, weighted = set_of(_ONE), set_of(_FOUR), set_of(_WEIGHTED)
    single = sign(header_of(one), one, _ONE)
    all_four = sign(header_of(four), four, _FOUR)
    entries = all_four.commit.signatures
    add("one validator", VALID, single)
    add("four validators, all signed", VALID, all_four)
    add("four validators, one absent", VALID, sign(header_of(four), four, {1: 10, 2: 10, 3: 10}))
    add("weighted validators, only the heaviest signed", VALID, sign(header_of(weighted), weighted, {1: 70}))
    broken = msgspec.structs.replace(entries[0], signature=flip(entries[0].signature, 3))
    add("one of four signatures does not verify", VALID, _with_entries(all_four, broken, *entries[1:]))
    add("one of four voted for nil", VALID, _with_entries(all_four, _nil_vote(all_four, 0), *entries[1:]))
    add(
        "votes of different times",
        VALID,
        _with_entries(all_four, _vote(all_four, 0, TIME_MS * NS + 123_456_789), *entries[1:]),
    )
    add("vote in round 3", VALID, _in_round(single, 3))
    add(
        "app version, and no hash where CometBFT needs none",
        VALID,
        sign(
            header_of(
                one, app_version=7, last_commit_hash=b"", data_hash=b"", consensus_hash=b"", last_results_hash=b""
            ),
            one,
            _ONE,
        ),
    )
    add(
        "first block: no previous block id",
        VALID,
        sign(header_of(one, height=1, last_block_id=NIL_BLOCK_ID), one, _ONE),
    )
    add("time with nanoseconds", VALID, _with_time(one, TIME_MS * NS + 999_999_999))
    add("time before 1970", VALID, _with_time(one, -1))
    _refuse_light_blocks(add, single, all_four)
    return vector_set(
        "Light blocks (tendermint.types.LightBlock) and whether more than two thirds of their validators signed the "
        "header on chain `chain_id`. Whether the validators are to be trusted is not asked here. Steps: "
        "docs/spec/04-proofs.md, 'Commit'.",
        cases,
        "Made by tools/make_vectors.py. vectors/cometbft holds hashes and sign bytes printed by CometBFT's own Go code.",
    )


def _refuse_light_blocks(add: Any, single: LightBlock, all_four: LightBlock) -> None:
    one, four = single.validators, all_four.validators
    entries = all_four.commit.signatures
    data = encode_light_block(single)
    add("nothing", "decode", b"")
    add("trailing byte", "decode", data + b"\x00")
    add("unknown field 3", "decode", data + b"\x1a\x00")
    add("cut off", "decode", data[:-1])
    add("validators before the signed header", "decode", _swap_fields(data))
    add("header only", "decode", data[: 2 + 1 + data[1]] if data[1] < 128 else data[: 3 + _varint2(data[1:3])])
    add("number in a varint longer than it needs", "decode", _long_varint(single))
    add("block protocol 10", "decode", encode_light_block(_altered_header(single, block_protocol=10)))
    add("height zero", "decode", encode_light_block(_altered_header(single, height=0)))
    add("validators hash of 20 bytes", "decode", encode_light_block(_altered_header(single, validators_hash=bytes(20))))
    add(
        "validator with power zero",
        "decode",
        encode_light_block(_with_set(single, (Validator(one.validators[0].public_key, 0),))),
    )
    add("validators in another order", "decode", encode_light_block(_with_set(all_four, four.validators[::-1])))
    add("validator twice", "decode", encode_light_block(_with_set(single, one.validators * 2)))
    add("commit without entries", "decode", encode_light_block(_no_entries(single)))
    add(
        "absent entry with a signature",
        "decode",
        encode_light_block(
            _with_entries(all_four, msgspec.structs.replace(entries[0], flag=BlockIDFlag.ABSENT), *entries[1:])
        ),
    )
    add(
        "entry with flag 4",
        "decode",
        encode_light_block(single).replace(_flag_bytes(single, 2), _flag_bytes(single, 4)),
    )
    add("header of another chain", "header-chain", single, "vectors-ffffffffffffffffffffffffffffffff")
    add("other validators than the header names", "validator-set", LightBlock(all_four.header, all_four.commit, one))
    add(
        "power of a validator altered",
        "validator-set",
        _with_set(single, (Validator(one.validators[0].public_key, 11),)),
    )
    add("commit of another height", "commit-height", _with_entries(single, height=3))
    add("empty commit", "commit-height", LightBlock(single.header, EMPTY_COMMIT, one))
    add("app hash altered in the header", "header-hash", _altered_header(single, app_hash=noise("other app hash")))
    add("time altered in the header", "header-hash", _altered_header(single, time_ns=single.header.time_ns + 1))
    add("app version altered in the header", "header-hash", _altered_header(single, app_version=1))
    add(
        "commit for another header",
        "header-hash",
        LightBlock(header_of(one, height=2, time_ms=TIME_MS + 1), single.commit, one),
    )
    add("one entry too few", "commit-validator", _with_entries(all_four, *entries[:3]))
    add("one entry too many", "commit-validator", _with_entries(single, *single.commit.signatures, ABSENT))
    add("entries in another order", "commit-validator", _with_entries(all_four, entries[1], entries[0], *entries[2:]))
    add("two of four signed", "commit-power", sign(all_four.header, four, {1: 10, 2: 10}))
    third = set_of({1: 10, 2: 10, 3: 10})
    add(
        "two of three signed: two thirds are not more than two thirds",
        "commit-power",
        sign(header_of(third), third, {1: 10, 2: 10}),
    )
    nil_votes = [_nil_vote(all_four, index) for index in range(2)]
    add("two of four voted for nil", "commit-power", _with_entries(all_four, *nil_votes, *entries[2:]))
    add("everyone absent", "commit-power", _with_entries(all_four, *(ABSENT for _ in entries)))
    add("signature altered", "commit-signature", _broken(single, 0))
    add("two of four signatures do not verify", "commit-signature", _broken(_broken(all_four, 0), 1))
    add("signature over another round", "commit-signature", _with_entries(single, round=1))
    add(
        "signature over another time",
        "commit-signature",
        _with_entries(single, msgspec.structs.replace(single.commit.signatures[0], time_ns=TIME_MS * NS)),
    )
    add("signature for another number of parts", "commit-signature", _other_parts(single))
    add(
        "nil vote passed off as a vote for the block",
        "commit-signature",
        _with_entries(single, msgspec.structs.replace(_nil_vote(single, 0), flag=BlockIDFlag.COMMIT)),
    )


def _vote(block: LightBlock, index: int, time_ns: int) -> CommitSig:
    commit, validator = block.commit, block.validators.validators[index]
    message = VoteTemplate(CHAIN_ID, commit.height, commit.round, commit.block_id).sign_bytes(time_ns)
    return CommitSig(BlockIDFlag.COMMIT, validator.address, time_ns, _sign_as(validator, message))


def _nil_vote(block: LightBlock, index: int) -> CommitSig:
    commit, validator = block.commit, block.validators.validators[index]
    time_ns = (TIME_MS + 9) * NS
    message = VoteTemplate(CHAIN_ID, commit.height, commit.round, NIL_BLOCK_ID).sign_bytes(time_ns)
    return CommitSig(BlockIDFlag.NIL, validator.address, time_ns, _sign_as(validator, message))


def _sign_as(validator: Validator, message: bytes) -> bytes:
    signers = {signer.public_key: signer for signer in (key_pair(100 + number) for number in range(1, 5))}
    return signers[validator.public_key].sign(message)


def _in_round(block: LightBlock, round_: int) -> LightBlock:
    moved = _with_entries(block, round=round_)
    return _with_entries(moved, _vote(moved, 0, (TIME_MS + 7) * NS))


def _with_time(validators: ValidatorSet, time_ns: int) -> LightBlock:
    return sign(msgspec.structs.replace(header_of(validators), time_ns=time_ns), validators, _ONE)


def _altered_header(block: LightBlock, **changes: Any) -> LightBlock:
    return LightBlock(msgspec.structs.replace(block.header, **changes), block.commit, block.validators)


def _with_set(block: LightBlock, validators: tuple[Validator, ...]) -> LightBlock:
    return LightBlock(block.header, block.commit, ValidatorSet(validators, validators[0]))


def _no_entries(block: LightBlock) -> LightBlock:
    commit = block.commit
    return LightBlock(block.header, Commit(commit.height, commit.round, commit.block_id, ()), block.validators)


def _broken(block: LightBlock, index: int) -> LightBlock:
    entries = list(block.commit.signatures)
    entries[index] = msgspec.structs.replace(entries[index], signature=flip(entries[index].signature, 40))
    return _with_entries(block, *entries)


def _other_parts(block: LightBlock) -> LightBlock:
    parts = msgspec.structs.replace(block.commit.block_id.part_set_header, total=2)
    return _with_entries(block, block_id=BlockID(block.commit.block_id.hash, parts))


def _flag_bytes(block: LightBlock, flag: int) -> bytes:
    return bytes((8, flag)) + b"\x12\x14" + block.validators.addresses[0]


def _varint2(data: bytes) -> int:
    return data[0] & 127 | data[1] << 7


def _swap_fields(data: bytes) -> bytes:
    end = 3 + _varint2(data[1:3])
    return data[end:] + data[:end]


def _long_varint(block: LightBlock) -> bytes:
    """Return the light block with power 10 of the proposer, its last field, in two bytes instead of one."""
    data = encode_light_block(block)
    assert data.endswith(b"\x18\x0a")
    data = data[:-1] + b"\x8a\x00"
    set_at = 3 + _varint2(data[1:3])
    inner = bytearray(data[set_at:])
    assert inner[0] == 0x12
    size = (inner[1] & 127 | inner[2] << 7) + 1 if inner[1] > 127 else inner[1] + 1
    head = 3 if inner[1] > 127 else 2
    body = bytes(inner[head:])
    proposer_at = body.rindex(b"\x12", 0, len(body) - 60)
    body = body[: proposer_at + 1] + bytes((body[proposer_at + 1] + 1,)) + body[proposer_at + 2 :]
    return data[:set_at] + b"\x12" + (bytes((size & 127 | 128, size >> 7)) if size > 127 else bytes((size,))) + body


# --- Bundles --------------------------------------------------------------------------------------------------------

_PATH: Final = "identity/id/ZZ.156.1301"
_WALLET: Final = f"currency/wallet/{noise('wallet', 16).hex()}"
_MISSING: Final = "identity/id/ZZ.156.9999"
_STATE: Final[State] = {
    _PATH: (b"", b"\x92\x01\xb0record of a city"),
    _WALLET: (noise("wallet salt"), b"\x92\x01\xb2record of a wallet"),
    **{f"identity/id/ZZ.156.{number}": (b"", b"\x92\x01\xcc%c" % number) for number in range(128, 160)},
}


class World:
    """A small chain: a state, a log of three entries, and the header that commits to both."""

    def __init__(self) -> None:
        self.tree = tree_over(_STATE, DEPTH)
        body, signers = payment(9, (1,), CHAIN_ID)
        self.transaction = sign_transaction(body, signers)
        self.id = transaction_id(encode(body))
        self.salt = digest(TAG_LOG_SALT, body.nonce, self.id)
        pay: Any = body.operations[0]
        event = Paid(pay.payer, pay.payee, pay.instrument, pay.amount_minor)
        self.receipt = encode(Receipt(self.id, 1, TIME_MS - 500, 0, True, 0, (event,)))
        entry = digest(TAG_LOG_ENTRY, self.salt, self.id, self.receipt)
        self.log = log_over([noise("entry 0"), entry, noise("entry 2")])
        self.app_hash = app_hash(self.tree.root, self.log.root, 3)
        self.validators = set_of(_FOUR)
        self.block = sign(header_of(self.validators, self.app_hash), self.validators, {1: 10, 2: 10, 4: 10})
        self.present = Present(_PATH, *_STATE[_PATH], prove(self.tree, _PATH), ())
        self.hidden = Present(_WALLET, *_STATE[_WALLET], prove(self.tree, _WALLET), (b"\x91\x01",))
        self.absent = Absent(_MISSING, prove(self.tree, _MISSING))
        self.logged = Logged(self.salt, self.transaction, self.receipt, self.log.prove_inclusion(1, 3))
        self.trust = TrustRoot(
            chain_id=CHAIN_ID, validators_hash=validator_set_hash(self.validators).hex(), state_tree_depth=DEPTH
        )

    def bundle(self, *items: Item, block: LightBlock | None = None, **changes: Any) -> Bundle:
        """Return a bundle of ``items``; ``changes`` replace its other fields."""
        fields: dict[str, Any] = {
            "chain_id": CHAIN_ID,
            "light_block": encode_light_block(block or self.block),
            "state_root": self.tree.root,
            "log_root": self.log.root,
            "log_size": 3,
            "items": items or (self.present,),
        }
        return Bundle(**(fields | changes))


def build_bundles() -> VectorSet:
    """Return vectors/bundles.json."""
    world = World()
    cases: list[Case] = []

    def add(name: str, step: str, bundle: Bundle | bytes, trust: TrustRoot | None = None) -> None:
        data = bundle if isinstance(bundle, bytes) else encode(bundle)
        root = msgspec.json.decode(encode_trust(trust or world.trust))
        inputs: dict[str, Any] = {"bundle": data, "trust_root": root}
        if step == VALID:
            inputs["header_time_ms"] = TIME_MS
        cases.append(case(name, step, **inputs))

    change = msgspec.structs.replace
    add("record", VALID, world.bundle())
    add("record with salt and an old version", VALID, world.bundle(world.hidden))
    add("absence", VALID, world.bundle(world.absent))
    add("receipt", VALID, world.bundle(world.logged))
    add("four items of three kinds", VALID, world.bundle(world.present, world.absent, world.logged, world.hidden))
    add("other trust period", VALID, world.bundle(), change(world.trust, trust_period_ms=1))
    good = encode(world.bundle())
    add("nothing", "decode", b"")
    add("trailing byte", "decode", good + b"\x00")
    add("cut off", "decode", good[:-1])
    add("no items", "decode", encode(change(world.bundle(), items=())))
    add("bundle of another version", "decode", flip(good, 1, 3))
    add("light block that is none", "decode", world.bundle(light_block=b"\x0a\x00"))
    add("light block with a trailing byte", "decode", world.bundle(light_block=world.bundle().light_block + b"\x00"))
    add("receipt whose transaction is none", "decode", world.bundle(change(world.logged, transaction=b"\x91\x01")))
    _refuse_bundles(add, world)
    return vector_set(
        "Proof bundles and the trust root to check them with (the JSON of its file). Steps: docs/spec/04-proofs.md, "
        "'Bundle'. Records in them are no records of any room: what they mean is asked after all steps.",
        cases,
    )


def _refuse_bundles(add: Any, world: World) -> None:
    change = msgspec.structs.replace
    trust, present, hidden, absent, logged = world.trust, world.present, world.hidden, world.absent, world.logged
    other = set_of(_ONE)
    foreign = "vectors-ffffffffffffffffffffffffffffffff"
    add("trust root of another chain", "chain-id", world.bundle(), change(trust, chain_id=foreign))
    add("bundle names another chain", "chain-id", world.bundle(chain_id=foreign))
    foreign_header = sign(header_of(world.validators, world.app_hash, chain_id=foreign), world.validators, _FOUR)
    add("header of another chain", "chain-id", world.bundle(block=foreign_header))
    add(
        "signed by validators that nobody trusts",
        "validators",
        world.bundle(block=sign(header_of(other, world.app_hash), other, _ONE)),
    )
    misnamed = header_of(world.validators, world.app_hash, validators_hash=noise("other validators"))
    add("header names other validators", "validator-set", world.bundle(block=sign(misnamed, world.validators, _FOUR)))
    add("commit of another height", "commit-height", world.bundle(block=_with_entries(world.block, height=3)))
    stale = header_of(world.validators, noise("stale app hash"))
    add(
        "app hash put into a signed header",
        "header-hash",
        world.bundle(block=_altered_header(sign(stale, world.validators, _FOUR), app_hash=world.app_hash)),
    )
    add(
        "two of four signed",
        "commit-power",
        world.bundle(block=sign(world.block.header, world.validators, {1: 1, 2: 1})),
    )
    add("forged signature", "commit-signature", world.bundle(block=_broken(world.block, 0)))
    add("header of another state", "app-hash", world.bundle(block=sign(stale, world.validators, _FOUR)))
    add("state root altered", "app-hash", world.bundle(state_root=flip(world.tree.root, 1)))
    add("log root altered", "app-hash", world.bundle(log_root=flip(world.log.root, 1)))
    add("log size altered", "app-hash", world.bundle(log_size=4))
    add("record altered", "state-leaf", world.bundle(change(present, record=b"\x92\x01\xb0record of a town")))
    add("path altered", "state-bucket", world.bundle(change(present, path="identity/id/ZZ.156.1302")))
    add("salt altered", "state-leaf", world.bundle(change(hidden, salt=flip(hidden.salt, 0))))
    add("salt of 16 bytes", "state-salt", world.bundle(change(hidden, salt=hidden.salt[:16])))
    add("sibling altered", "state-root", world.bundle(change(present, proof=_flip_sibling(present.proof))))
    add("trust root with another depth", "state-bucket", world.bundle(present), change(trust, state_tree_depth=24))
    add("absence of a record that stands", "state-leaf", world.bundle(Absent(_PATH, present.proof)))
    add("absence with the leaf cut out", "state-root", world.bundle(Absent(_PATH, _cut(present))))
    add("receipt altered", "log-root", world.bundle(change(logged, receipt=flip(logged.receipt, -1))))
    add(
        "transaction of somebody else",
        "log-root",
        world.bundle(change(logged, transaction=sign_transaction(*payment(8, (1,), CHAIN_ID)))),
    )
    add("log salt altered", "log-root", world.bundle(change(logged, salt=flip(logged.salt, 0))))
    proof = logged.proof
    add("log proof for another size", "log-size", world.bundle(change(logged, proof=LogProof(1, 2, proof.path[:32]))))
    add("log index beyond the end", "log-index", world.bundle(change(logged, proof=LogProof(3, 3, proof.path))))
    add("log path too short", "log-path", world.bundle(change(logged, proof=LogProof(1, 3, proof.path[:32]))))
    add("second item is false", "state-leaf", world.bundle(absent, change(present, record=b"\x91\x01"), logged))


def _flip_sibling(proof: StateProof) -> StateProof:
    return msgspec.structs.replace(proof, siblings=flip(proof.siblings, 0))


def _cut(item: Present) -> StateProof:
    from fujie.proof.merkle_state import key_hash

    at = item.proof.leaves.index(key_hash(item.path.encode()))
    return msgspec.structs.replace(item.proof, leaves=item.proof.leaves[:at] + item.proof.leaves[at + 64 :])


# --- Trust roots ----------------------------------------------------------------------------------------------------


def build_trust_roots() -> VectorSet:
    """Return vectors/trust-roots.json."""
    good: dict[str, Any] = {
        "format": "fujie-trust-1",
        "chain_id": CHAIN_ID,
        "validators_hash": noise("validators").hex(),
        "state_tree_depth": 18,
        "trust_period_ms": 1_209_600_000,
    }
    text = encode_trust(TrustRoot(**{key: value for key, value in good.items() if key != "format"})).decode()
    cases = [
        case("as Fujie writes it", VALID, text=text, value=good),
        case("on one line, fields in another order", VALID, text=_json(dict(reversed(good.items()))), value=good),
        case("trust period left out", VALID, text=_json(_but(good, "trust_period_ms")), value=good),
    ]
    bad: dict[str, dict[str, Any]] = {
        "no format": _but(good, "format"),
        "format of another version": good | {"format": "fujie-trust-2"},
        "no chain id": _but(good, "chain_id"),
        "empty chain id": good | {"chain_id": ""},
        "chain id of 51 characters": good | {"chain_id": "x" * 51},
        "no validators hash": _but(good, "validators_hash"),
        "validators hash in capitals": good | {"validators_hash": "A" * 64},
        "validators hash of 63 digits": good | {"validators_hash": "a" * 63},
        "validators hash with a line feed": good | {"validators_hash": "a" * 64 + "\n"},
        "no depth": _but(good, "state_tree_depth"),
        "depth 3": good | {"state_tree_depth": 3},
        "depth 25": good | {"state_tree_depth": 25},
        "depth as text": good | {"state_tree_depth": "18"},
        "negative trust period": good | {"trust_period_ms": -1},
        "trust period beyond 2^53": good | {"trust_period_ms": 2**53 + 2},
        "trust period nil": good | {"trust_period_ms": None},
        "field that nobody knows": good | {"note": "trust me"},
    }
    cases += [case(name, "trust-root", text=_json(value)) for name, value in bad.items()]
    cases += [
        case("nothing", "trust-root", text=""),
        case("not JSON", "trust-root", text="fujie"),
        case("a list", "trust-root", text="[]"),
        case("two values", "trust-root", text=_json(good) + "{}"),
    ]
    return vector_set("Trust root files: `text` is the file, `value` what it says with the default filled in.", cases)


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


def _but(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key != name}
