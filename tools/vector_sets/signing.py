"""Vectors of keys and signatures: the good ones, and those on which signature libraries disagree."""

from itertools import count
from typing import Final

from fujie.core.encoding import encode
from fujie.core.grant import Grant, sign_grant
from fujie.core.hashing import TAG_READ_GRANT
from fujie.core.policy import single
from fujie.core.signing import Signer
from fujie.core.transaction import (
    SIGNED_TRANSACTION,
    SignedTransaction,
    Transaction,
    sign_transaction,
    signing_message,
    transaction_id,
)
from fujie.modules.currency.operations import Pay
from fujie.modules.membership.operations import RotateKeys
from tools.vector_sets import curve
from tools.vector_sets.common import VALID, Case, VectorSet, case, flip, key_pair, noise, plain, vector_set
from tools.vector_sets.curve import IDENTITY, ORDER, TORSION, P, add, encode_point, multiply, sign_with

RFC_8032: Final = (
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
)
"""Facts: seed, public key, message and signature of TEST 1 to 3 of RFC 8032, section 7.1."""

_SECRET = int.from_bytes(noise("secret"), "little") % ORDER
_NONCE = int.from_bytes(noise("signature nonce"), "little") % ORDER
_KEY = multiply(_SECRET, curve.BASE)
_R = multiply(_NONCE, curve.BASE)
_MIXED = add(_KEY, TORSION)
_MESSAGE: Final = b"fujie"


def _mixed_message(vanishes: bool) -> bytes:
    """Return the first message for which the small-order part of the mixed key does, or does not, cancel out."""
    for number in count():
        message = b"fujie %d" % number
        k = curve.challenge(encode_point(_R), encode_point(_MIXED), message)
        if (k % 8 == 0) == vanishes:
            return message
    raise AssertionError("count does not end")


def build_signatures() -> VectorSet:
    """Return vectors/signatures.json."""
    cases: list[Case] = []
    for number, (seed, public_key, text, signature) in enumerate(RFC_8032, 1):
        texts = {"public_key": public_key, "message": text, "signature": signature}
        cases.append(case(f"RFC 8032 test {number}", VALID, seed=seed, **texts))
    good = sign_with(_SECRET, _NONCE, _MESSAGE, _KEY, _R)
    key = encode_point(_KEY)
    s_plus_order = good[:32] + (int.from_bytes(good[32:], "little") + ORDER).to_bytes(32, "little")
    cancels, remains = _mixed_message(True), _mixed_message(False)

    def add_case(name: str, expect: str, public_key: bytes, message: bytes, signature: bytes) -> None:
        cases.append(case(name, expect, public_key=public_key, message=message, signature=signature))

    bad = "signature"
    add_case("good signature", VALID, key, _MESSAGE, good)
    add_case("another message", bad, key, _MESSAGE + b"!", good)
    add_case("bit flipped in R", bad, key, _MESSAGE, flip(good, 0))
    add_case("bit flipped in s", bad, key, _MESSAGE, flip(good, 32))
    add_case("another key", bad, key_pair(0).public_key, _MESSAGE, good)
    add_case("signature of 63 bytes", bad, key, _MESSAGE, good[:63])
    add_case("signature of 65 bytes", bad, key, _MESSAGE, good + b"\x00")
    add_case("no signature", bad, key, _MESSAGE, b"")
    add_case("key of 31 bytes", bad, key[:31], _MESSAGE, good)
    add_case("s plus the group order (malleable)", bad, key, _MESSAGE, s_plus_order)
    add_case("s is the group order", bad, key, _MESSAGE, good[:32] + ORDER.to_bytes(32, "little"))
    identity = encode_point(IDENTITY)
    for message in (b"", b"any message", b"any other message"):
        name = f"identity as key and as R, s = 0, message {message.decode()!r}: OpenSSL accepts"
        add_case(name, bad, identity, message, identity + bytes(32))
    for index in range(1, 8):
        small = encode_point(multiply(index, TORSION))
        add_case(f"key of small order {index}, R the identity, s = 0", bad, small, _MESSAGE, identity + bytes(32))
    add_case("R the identity under a good key", bad, key, _MESSAGE, sign_with(_SECRET, 0, _MESSAGE, _KEY, IDENTITY))
    add_case("R of small order under a good key", bad, key, _MESSAGE, sign_with(_SECRET, 0, _MESSAGE, _KEY, TORSION))
    mixed_r = sign_with(_SECRET, _NONCE, _MESSAGE, _KEY, add(_R, TORSION))
    add_case("R of mixed order: ZIP-215 accepts", bad, key, _MESSAGE, mixed_r)
    mixed = encode_point(_MIXED)
    add_case(
        "key of mixed order whose small part remains: ZIP-215 accepts",
        bad,
        mixed,
        remains,
        sign_with(_SECRET, _NONCE, remains, _MIXED, _R),
    )
    add_case(
        "key of mixed order whose small part cancels out: valid, and the reason to check keys when they are registered",
        VALID,
        mixed,
        cancels,
        sign_with(_SECRET, _NONCE, cancels, _MIXED, _R),
    )
    identity_too_large = (P + 1).to_bytes(32, "little")
    add_case("non-canonical identity as key", bad, identity_too_large, _MESSAGE, identity + bytes(32))
    add_case("non-canonical identity as R", bad, identity, _MESSAGE, identity_too_large + bytes(32))
    return vector_set(
        "Ed25519 as docs/spec/02-encoding.md narrows it. The rule is in the section 'Signatures'.",
        cases,
        "RFC 8032, section 7.1 (tests 1 to 3); the rest made by tools/make_vectors.py. That OpenSSL accepts any message "
        "under the identity was reported by several projects and is easily tried: the equation is 0 = 0.",
    )


def build_public_keys() -> VectorSet:
    """Return vectors/public-keys.json."""
    bad = "public-key"
    off_curve = next(y for y in count(2) if curve.point_at(y) is None)
    large = next(y for y in range(2, 19) if (found := curve.point_at(y)) and multiply(8, found) != IDENTITY)
    cases = [
        case("RFC 8032 test 1", VALID, public_key=RFC_8032[0][1]),
        case("good key", VALID, public_key=encode_point(_KEY)),
        case("the base point", VALID, public_key=encode_point(curve.BASE)),
        case("the identity", bad, public_key=encode_point(IDENTITY)),
        *(
            case(f"small order, {index} times the generator", bad, public_key=encode_point(multiply(index, TORSION)))
            for index in range(1, 8)
        ),
        case("mixed order", bad, public_key=encode_point(_MIXED)),
        case("mixed order, small part of order two", bad, public_key=encode_point(add(_KEY, multiply(4, TORSION)))),
        case("not on the curve", bad, public_key=off_curve.to_bytes(32, "little")),
        case("y is p: zero, not canonical", bad, public_key=P.to_bytes(32, "little")),
        case("y is p + 1: the identity, not canonical", bad, public_key=(P + 1).to_bytes(32, "little")),
        case("large order, not canonical", bad, public_key=(P + large).to_bytes(32, "little")),
        case("the identity with its sign bit set", bad, public_key=(1 | 1 << 255).to_bytes(32, "little")),
        case("all ones", bad, public_key=b"\xff" * 32),
        case("31 bytes", bad, public_key=encode_point(_KEY)[:31]),
        case("33 bytes", bad, public_key=encode_point(_KEY) + b"\x00"),
        case("no bytes", bad, public_key=b""),
    ]
    return vector_set(
        "Which 32 bytes may be registered as a public key (docs/spec/02-encoding.md, 'Public keys').", cases
    )


def payment(
    number: int = 1, signers: tuple[int, ...] = (1,), chain_id: str = "vectors"
) -> tuple[Transaction, list[Signer]]:  # type: ignore[type-arg]  # operations of any room
    """Return the body of a payment with one operation, and who signs it."""
    pairs = [key_pair(signer) for signer in signers]
    body = Transaction(
        chain_id,
        noise(f"nonce {number}", 16),
        1_750_000_600_000,
        (Pay(noise("payer", 16), noise("payee", 16), "CNY", 1250),),
        tuple(sorted(pair.public_key for pair in pairs)),
    )
    return body, pairs


def build_transactions() -> VectorSet:
    """Return vectors/transactions.json."""
    cases: list[Case] = []
    one, one_signer = payment()
    three, three_signers = payment(2, (1, 2, 3))
    rotate = Transaction(
        "vectors",
        noise("nonce 3", 16),
        1_750_000_600_000,
        (RotateKeys("bank", single(key_pair(5).public_key)), one.operations[0]),
        one.public_keys,
    )
    for name, body, signers in (
        ("payment with one signature", one, one_signer),
        ("payment with three signatures", three, three_signers),
        ("two operations", rotate, one_signer),
        ("the same payment again, with another nonce", *payment(4)),
    ):
        data = encode(body)
        identifier = transaction_id(data)
        cases.append(
            case(
                name,
                VALID,
                transaction=sign_transaction(body, signers),
                body=data,
                body_value=plain(data),
                id=identifier,
                signing_message=signing_message(identifier),
                seeds={signer.public_key.hex(): signer.seed.hex() for signer in signers},
            )
        )
    good = sign_transaction(one, one_signer)
    signed = SIGNED_TRANSACTION.decode(good)
    signed_three = SIGNED_TRANSACTION.decode(sign_transaction(three, three_signers))
    first, second, third = signed_three.signatures
    swapped = Transaction(three.chain_id, three.nonce, 1, three.operations, three.public_keys[::-1])
    doubled = Transaction(one.chain_id, one.nonce, 1, one.operations, one.public_keys * 2)
    foreign = sign_transaction(*payment(1, (1,), "another"))
    malformed, invalid = "transaction-malformed", "signature-invalid"

    def refuse(name: str, step: str, transaction: bytes | SignedTransaction) -> None:
        raw = transaction if isinstance(transaction, bytes) else encode(transaction)
        cases.append(case(name, step, transaction=raw))

    refuse("nothing", malformed, b"")
    refuse("trailing byte", malformed, good + b"\x00")
    refuse("more than 65,536 bytes", malformed, encode(SignedTransaction(bytes(65_536), signed.signatures)))
    refuse("body of another version", malformed, SignedTransaction(flip(signed.body, 1, 3), signed.signatures))
    refuse("body with an integer in more bytes than it needs", malformed, wide_body(signed))
    refuse("one signature too few", malformed, SignedTransaction(signed_three.body, (first, second)))
    refuse("one signature too many", malformed, SignedTransaction(signed.body, signed.signatures * 2))
    refuse("keys descending", malformed, sign_in_order(swapped, three_signers))
    refuse("a key twice", malformed, sign_in_order(doubled, one_signer))
    refuse(
        "signatures in another order than keys", invalid, SignedTransaction(signed_three.body, (second, first, third))
    )
    refuse("bit flipped in a signature", invalid, SignedTransaction(signed.body, (flip(signed.signatures[0], 40),)))
    refuse(
        "bit flipped in the amount",
        invalid,
        SignedTransaction(signed.body.replace(b"\xcd\x04\xe2", b"\xcd\x04\xe3"), signed.signatures),
    )
    refuse(
        "signature of the same payment on another chain",
        invalid,
        SignedTransaction(signed.body, SIGNED_TRANSACTION.decode(foreign).signatures),
    )
    untagged = (one_signer[0].sign(transaction_id(signed.body)),)
    refuse("signature over the id without its tag", invalid, SignedTransaction(signed.body, untagged))
    return vector_set(
        "Signed transactions: what a node checks before it looks at any state. `id` and `signing_message` follow from "
        "`body`; the steps are the names of the reasons 1 and 3.",
        cases,
    )


def wide_body(signed: SignedTransaction) -> SignedTransaction:
    """Return the transaction with its amount of 1,250 written in 32 bits, signed over the body as it is."""
    body = signed.body.replace(b"\xcd\x04\xe2", b"\xce\x00\x00\x04\xe2")
    return SignedTransaction(body, (key_pair(1).sign(signing_message(transaction_id(body))),))


def sign_in_order(body: Transaction, signers: list[Signer]) -> SignedTransaction:  # type: ignore[type-arg]  # any room
    """Return a transaction signed by the keys in the order of the body, whatever that is."""
    by_key = {signer.public_key: signer for signer in signers}
    data = encode(body)
    message = signing_message(transaction_id(data))
    return SignedTransaction(data, tuple(by_key[key].sign(message) for key in body.public_keys))


def build_grants() -> VectorSet:
    """Return vectors/grants.json."""
    signer = key_pair(1)
    grant = Grant("vectors", "account/auditor", 1_750_000_060_000, noise("grant", 16), (signer.public_key,))
    body = encode(grant)
    signed = sign_grant(grant, [signer])
    return vector_set(
        "Signed read grants: `message` is what is signed. Steps: decode, signature.",
        [
            case(
                "grant of an auditor", VALID, grant=signed, body=body, message=TAG_READ_GRANT + body, value=plain(body)
            ),
            case("bit flipped in the signature", "signature", grant=flip(signed, -1)),
            case("trailing byte", "decode", grant=signed + b"\x00"),
        ],
    )
