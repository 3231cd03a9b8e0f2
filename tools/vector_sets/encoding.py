"""Vectors of the canonical encoding: one value of each shape, and every other spelling of it that must be refused."""

from typing import Any, Final

from fujie.core.codebook import ENTRY_CODEC
from fujie.core.encoding import Codec, encode
from fujie.core.grant import GRANT, SIGNED_GRANT, Grant
from fujie.core.meter import Meter
from fujie.core.misbehaviour import Misbehaviour, MisbehaviourKind
from fujie.core.policy import KeyPolicy, threshold
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.core.versions import Standing
from fujie.machine.genesis import GENESIS
from fujie.modules.catalog import OPERATION, QUERY, RECEIPT, TRANSACTION
from fujie.modules.currency.operations import Issue, Pay
from fujie.modules.currency.queries import BalanceQuery
from fujie.modules.currency.records import LimitEntry
from fujie.modules.membership.queries import AccountQuery, MisbehaviourQuery, ParametersQuery
from fujie.modules.membership.records import MisbehaviourRecord, Organisation, Status, Validator
from fujie.proof.bundle import BUNDLE, Absent, Present
from fujie.proof.merkle_log import LogProof, log_consistency_proof_codec, log_proof_codec
from fujie.proof.merkle_state import StateProof, state_proof_codec
from tools.vector_sets.common import VALID, Case, VectorSet, case, key_pair, noise, plain, vector_set

TYPES: Final[dict[str, Codec[Any]]] = {
    "Absent": Codec(Absent),
    "Bundle": BUNDLE,
    "CodebookEntry": ENTRY_CODEC,
    "Genesis": GENESIS,
    "Grant": GRANT,
    "KeyPolicy": Codec(KeyPolicy),
    "LimitEntry": Codec(LimitEntry),
    "LogConsistencyProof": log_consistency_proof_codec,
    "LogProof": log_proof_codec,
    "Meter": Codec(Meter),
    "MisbehaviourRecord": Codec(MisbehaviourRecord),
    "Operation": OPERATION,
    "Organisation": Codec(Organisation),
    "Present": Codec(Present),
    "Query": QUERY,
    "Receipt": RECEIPT,
    "SignedGrant": SIGNED_GRANT,
    "SignedTransaction": SIGNED_TRANSACTION,
    "Standing": Codec(Standing),
    "StateProof": state_proof_codec,
    "Transaction": TRANSACTION,
}
"""The names that ``type`` has in vectors/encoding.json, and how Python decodes them."""

_KEYS = sorted(key_pair(number).public_key for number in range(3))


def _accepted() -> list[Case]:
    """Return values of every shape with their one encoding."""
    standing = Standing(2, 7, 1_750_000_000_000, 1, 1_749_000_000_000, noise("previous"), b"")
    proof = StateProof(noise("leaf") * 2, b"\x00", b"")
    act = Misbehaviour(MisbehaviourKind.DUPLICATE_VOTE, noise("validator", 20), 7, 1_750_000_000_000, 10)
    validator = Validator(_KEYS[0], 10, "bank")
    values: list[tuple[str, str, Any]] = [
        *((f"integer {number}", "Meter", Meter(number, 1)) for number in _INTEGERS),
        ("integer 9223372036854775807", "Operation", Issue("bank", "CNY", 2**63 - 1, noise("reference", 16))),
        ("one key", "KeyPolicy", KeyPolicy(1, (_KEYS[0],))),
        ("two of three keys", "KeyPolicy", threshold(2, _KEYS)),
        ("sixteen keys (array 16 form)", "KeyPolicy", threshold(16, [key_pair(n).public_key for n in range(16)])),
        ("nil for each limit that there is not", "LimitEntry", LimitEntry(0, None, None, None, None)),
        ("nil and numbers mixed", "LimitEntry", LimitEntry(5, None, 300, 0, None)),
        ("empty byte strings", "Standing", Standing(1, 1, 0, 1, 0, b"", b"")),
        ("byte strings of 32", "Standing", standing),
        ("text of Chinese characters", "Organisation", Organisation("sjz", "石家庄市", Status.ACTIVE, 1, standing)),
        ("text of 31 bytes", "Organisation", Organisation("a", "x" * 31, Status.ACTIVE, 1, standing)),
        ("text of 32 bytes", "Organisation", Organisation("a", "x" * 32, Status.SUSPENDED, 1, standing)),
        (
            "text of 200 characters of four bytes",
            "Organisation",
            Organisation("a", "𠀀" * 200, Status.ACTIVE, 1, standing),
        ),
        ("text with a zero character", "Organisation", Organisation("a", "a\0b", Status.ACTIVE, 1, standing)),
        ("query without fields", "Query", ParametersQuery()),
        ("query by name", "Query", AccountQuery("central-bank")),
        ("query by bytes and text", "Query", BalanceQuery(noise("wallet", 16), "CNY")),
        ("payment", "Operation", Pay(noise("payer", 16), noise("payee", 16), "CNY", 1250)),
        ("query by 20 bytes", "Query", MisbehaviourQuery(act.address)),
        ("nil in place of a record", "MisbehaviourRecord", MisbehaviourRecord(act.address, None, 1, act, (act,))),
        ("records in a list", "MisbehaviourRecord", MisbehaviourRecord(act.address, validator, 2, act, (act, act))),
        ("record within a record", "Absent", Absent("identity/id/ZZ.156.9999", proof)),
        ("byte string of 256 bytes", "LogProof", LogProof(3, 200, noise("node") * 8)),
        ("byte string of 255 bytes", "Present", Present("a", b"", b"\xff" * 255, proof, ())),
        ("byte string of 65,536 bytes", "Present", Present("a", bytes(32), bytes(65_536), proof, (b"old", b"older"))),
        ("grant", "Grant", Grant("demo", "account/auditor", 1_750_000_060_000, noise("nonce", 16), (_KEYS[0],))),
    ]
    cases = []
    for name, type_name, value in values:
        data = encode(value)
        cases.append(case(name, VALID, type=type_name, bytes=data, value=plain(data)))
    return cases


_INTEGERS: Final = (0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**53)


def _refused() -> list[Case]:
    """Return other spellings of good values, and values that the type does not have. Hand-written bytes."""
    meter, number = b"\x93\x01", b"\x01"
    key = b"\xc4\x20" + _KEYS[0]
    policy = b"\x93\x01\x01\x91" + key
    pair = b"\x92" + b"".join(b"\xc4\x20" + one for one in _KEYS[:2])
    rest = b"\xa6active\x01\x98\x01\x01\x01\x00\x01\x00\xc4\x00\xc4\x00"
    organisation = b"\x96\x01\xa1a\xa1x" + rest
    account = b"\x92\xcd\x03\xe9"
    bad = [
        *_wide_integers(meter, number),
        ("array with 16-bit length", "Meter", b"\xdc\x00\x03\x01\x01\x01"),
        ("array with 32-bit length", "Meter", b"\xdd\x00\x00\x00\x03\x01\x01\x01"),
        ("inner array with 16-bit length", "KeyPolicy", b"\x93\x01\x01\xdc\x00\x01" + key),
        ("byte string with 16-bit length", "KeyPolicy", b"\x93\x01\x01\x91\xc5\x00\x20" + _KEYS[0]),
        ("byte string with 32-bit length", "KeyPolicy", b"\x93\x01\x01\x91\xc6\x00\x00\x00\x20" + _KEYS[0]),
        ("text in place of a byte string", "KeyPolicy", b"\x93\x01\x01\x91\xd9\x20" + b"k" * 32),
        ("byte string in place of text", "Query", account + b"\xc4\x04bank"),
        ("text with 8-bit length that fits five bits", "Query", account + b"\xd9\x04bank"),
        ("text with 16-bit length", "Query", account + b"\xda\x00\x04bank"),
        ("text with 32-bit length", "Query", account + b"\xdb\x00\x00\x00\x04bank"),
        ("map in place of an array", "Meter", b"\x83\xa4type\x01\xa6window\x01\xa4used\x01"),
        ("map in place of a number", "Meter", meter + b"\x80" + number),
        ("float in place of an integer", "Meter", meter + b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00" + number),
        ("32-bit float in place of an integer", "Meter", meter + b"\xca\x3f\x80\x00\x00" + number),
        ("not a number", "Meter", meter + b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00" + number),
        ("true in place of 1", "Meter", meter + b"\xc3" + number),
        ("false in place of 0", "Meter", meter + b"\xc2" + number),
        ("nil where there must be a number", "Meter", meter + b"\xc0" + number),
        ("text in place of a number", "Meter", meter + b"\xa11" + number),
        ("extension type", "Meter", meter + b"\xd4\x01\x01" + number),
        ("timestamp extension", "Meter", meter + b"\xd6\xff\x00\x00\x00\x01" + number),
        ("the byte that MessagePack never uses", "Meter", meter + b"\xc1" + number),
        ("negative number", "Meter", meter + b"\xff" + number),
        ("number above its bound", "Meter", meter + b"\xcf\x00\x20\x00\x00\x00\x00\x00\x01" + number),
        ("number above 64 bits signed", "Operation", _issue(b"\xcf\x80" + bytes(7))),
        ("tag of another version", "Meter", b"\x93\x02\x01\x01"),
        ("tag zero", "Meter", b"\x93\x00\x01\x01"),
        ("tag as text", "Meter", b"\x93\xa11\x01\x01"),
        ("tag in two bytes that fits one", "Meter", b"\x93\xcc\x01\x01\x01"),
        ("kind number that no query has", "Query", b"\x92\xcd\x03\xe7\xa4bank"),
        ("kind number of an operation in place of a query", "Query", b"\x91\xcd\x0b\xc6"),
        ("one field too few", "Meter", b"\x92\x01\x01"),
        ("one field too many", "Meter", b"\x94\x01\x01\x01\x01"),
        ("one field too many, nil", "Meter", b"\x94\x01\x01\x01\xc0"),
        ("no field", "Meter", b"\x90"),
        ("nothing", "Meter", b""),
        ("trailing byte", "Meter", b"\x93\x01\x01\x01\x00"),
        ("trailing second value", "Meter", b"\x93\x01\x01\x01\x93\x01\x01\x01"),
        ("ends within the array", "Meter", b"\x93\x01\x01"),
        ("ends within a number", "Meter", b"\x93\x01\x01\xcd\x01"),
        ("ends within a byte string", "KeyPolicy", policy[:-1]),
        ("ends within text", "Query", account + b"\xa5bank"),
        ("array of four thousand million announced", "KeyPolicy", b"\x93\x01\x01\xdd\xff\xff\xff\xff"),
        ("byte string of four thousand million announced", "KeyPolicy", b"\x93\x01\x01\x91\xc6\xff\xff\xff\xff"),
        ("a thousand arrays within one another", "KeyPolicy", b"\x91" * 1000),
        ("invalid UTF-8", "Organisation", b"\x96\x01\xa1a\xa1\xff" + rest),
        ("UTF-8 of a surrogate", "Organisation", b"\x96\x01\xa1a\xa3\xed\xa0\x80" + rest),
        ("over-long UTF-8", "Organisation", b"\x96\x01\xa1a\xa2\xc1\x81" + rest),
        ("UTF-8 above U+10FFFF", "Organisation", b"\x96\x01\xa1a\xa4\xf4\x90\x80\x80" + rest),
        ("text of 201 characters", "Organisation", b"\x96\x01\xa1a\xd9\xc9" + b"x" * 201 + rest),
        ("name with a capital", "Organisation", organisation.replace(b"\xa1a\xa1x", b"\xa1A\xa1x")),
        ("name with a line feed at its end", "Organisation", organisation.replace(b"\xa1a\xa1x", b"\xa2a\n\xa1x")),
        ("empty name", "Organisation", organisation.replace(b"\xa1a\xa1x", b"\xa0\xa1x")),
        ("unknown word of a closed list", "Organisation", organisation.replace(b"\xa6active", b"\xa6asleep")),
        ("key of 31 bytes", "KeyPolicy", b"\x93\x01\x01\x91\xc4\x1f" + _KEYS[0][:31]),
        ("key of 33 bytes", "KeyPolicy", b"\x93\x01\x01\x91\xc4\x21" + _KEYS[0] + b"\x00"),
        ("no keys", "KeyPolicy", b"\x93\x01\x01\x90"),
        ("threshold zero", "KeyPolicy", b"\x93\x01\x00\x91" + key),
        ("threshold above sixteen", "KeyPolicy", b"\x93\x01\x11\x91" + key),
        ("seventeen keys", "KeyPolicy", b"\x93\x01\x01\xdc\x00\x11" + key * 17),
        ("array in place of a byte string", "KeyPolicy", b"\x93\x01\x01\x91" + pair),
    ]
    return [case(name, "decode", type=type_name, bytes=data) for name, type_name, data in bad]


def _wide_integers(before: bytes, after: bytes) -> list[tuple[str, str, bytes]]:
    """Return spellings of a positive integer that are longer than they need be, and signed ones."""
    spellings = {
        "1 in 8 bits": b"\xcc\x01",
        "127 in 8 bits": b"\xcc\x7f",
        "255 in 16 bits": b"\xcd\x00\xff",
        "65,535 in 32 bits": b"\xce\x00\x00\xff\xff",
        "4,294,967,295 in 64 bits": b"\xcf\x00\x00\x00\x00\xff\xff\xff\xff",
        "1 in 8 bits signed": b"\xd0\x01",
        "200 in 16 bits signed": b"\xd1\x00\xc8",
        "70,000 in 32 bits signed": b"\xd2\x00\x01\x11\x70",
        "2^40 in 64 bits signed": b"\xd3\x00\x00\x01\x00\x00\x00\x00\x00",
    }
    return [(f"integer {name}", "Meter", before + data + after) for name, data in spellings.items()]


def _issue(amount: bytes) -> bytes:
    return b"\x95\xcd\x0b\xbc\xa4bank\xa3CNY" + amount + b"\xc4\x10" + noise("reference", 16)


def build() -> VectorSet:
    """Return vectors/encoding.json."""
    return vector_set(
        "Canonical encoding. `bytes` must decode as `type` and encode back to themselves, with the JSON in `value` "
        '(byte strings as {"bin": hex}, integers beyond 2^53 as {"int": text}), or be refused.',
        [*_accepted(), *_refused()],
    )
