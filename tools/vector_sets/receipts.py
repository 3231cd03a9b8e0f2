"""Vectors of receipts: bundles that hold, whose one item is a transaction and what became of it."""

from typing import Any, Final

import msgspec

from fujie.core.encoding import encode
from fujie.core.hashing import TAG_LOG_ENTRY, app_hash, digest
from fujie.core.transaction import (
    SIGNED_TRANSACTION,
    Receipt,
    SignedTransaction,
    sign_transaction,
    transaction_id,
)
from fujie.modules.currency.events import Paid
from fujie.proof.bundle import Bundle, Logged
from fujie.proof.light_block import encode_light_block
from fujie.proof.trust import TrustRoot, encode_trust
from fujie.proof.validators import validator_set_hash
from tools.vector_sets.chain import CHAIN_ID, DEPTH, TIME_MS, header_of, set_of, sign
from tools.vector_sets.common import VALID, Case, VectorSet, case, flip, noise, vector_set
from tools.vector_sets.proofs import log_over
from tools.vector_sets.signing import payment, sign_in_order, wide_body

_POWERS: Final = {1: 10}


def receipt_of(signed: SignedTransaction, **changes: Any) -> bytes:
    """Return the receipt of a payment that succeeded in block 1, before the header of height 2."""
    event = Paid(noise("payer", 16), noise("payee", 16), "CNY", 1250)
    receipt = Receipt(transaction_id(signed.body), 1, TIME_MS - 500, 0, True, 0, (event,))
    return encode(msgspec.structs.replace(receipt, **changes))


def bundle_of(signed: SignedTransaction, receipt: bytes | None = None) -> Bundle:
    """Return a bundle in whose log the body of ``signed`` stands with ``receipt``, by default one of success."""
    receipt = receipt_of(signed) if receipt is None else receipt
    salt, state_root = noise("entry salt"), noise("state root")
    entry = digest(TAG_LOG_ENTRY, salt, transaction_id(signed.body), receipt)
    log = log_over([noise("entry 0"), entry, noise("entry 2")])
    validators = set_of(_POWERS)
    block = sign(header_of(validators, app_hash(state_root, log.root, 3)), validators, _POWERS)
    logged = Logged(salt, encode(signed), receipt, log.prove_inclusion(1, 3))
    return Bundle(CHAIN_ID, encode_light_block(block), state_root, log.root, 3, (logged,))


def build_receipts() -> VectorSet:
    """Return vectors/receipts.json."""
    cases: list[Case] = []
    trust = TrustRoot(
        chain_id=CHAIN_ID, validators_hash=validator_set_hash(set_of(_POWERS)).hex(), state_tree_depth=DEPTH
    )
    root = msgspec.json.decode(encode_trust(trust))

    def add(name: str, step: str, signed: SignedTransaction, receipt: bytes | None = None) -> None:
        inputs: dict[str, Any] = {"bundle": encode(bundle_of(signed, receipt)), "trust_root": root}
        if step == VALID:
            inputs["transaction_id"] = transaction_id(signed.body)
        cases.append(case(name, step, **inputs))

    (one, one_signer), (three, three_signers) = payment(9, (1,), CHAIN_ID), payment(10, (1, 2, 3), CHAIN_ID)
    signed = SIGNED_TRANSACTION.decode(sign_transaction(one, one_signer))
    signed_three = SIGNED_TRANSACTION.decode(sign_transaction(three, three_signers))
    change = msgspec.structs.replace
    add("one signature", VALID, signed)
    add("three signatures", VALID, signed_three)
    refusal = receipt_of(signed, code=3003, events=())
    add("refused, and logged all the same", VALID, signed, refusal)

    step = "answer-receipt"
    add("receipt that is none", step, signed, b"\x91\x01")
    add("receipt with a trailing byte", step, signed, receipt_of(signed) + b"\x00")
    add("receipt of another transaction", step, signed, receipt_of(signed_three))
    add("receipt of the block of the header", step, signed, receipt_of(signed, height=2))
    add("body that is none", step, change(signed, body=b"\x91\x01"))
    add("body with an integer in more bytes than it needs", step, wide_body(signed))
    add("body and signature that are none: the body comes first", step, SignedTransaction(b"", (bytes(64),)))

    step = "transaction-keys"
    first, second, third = signed_three.signatures
    add("keys descending", step, sign_in_order(change(three, public_keys=three.public_keys[::-1]), three_signers))
    add("a key twice", step, sign_in_order(change(one, public_keys=one.public_keys * 2), one_signer))
    add("one signature too few", step, change(signed_three, signatures=(first, second)))
    add("one signature too many", step, change(signed, signatures=signed.signatures * 2))
    add("one too many, and none valid: the number comes first", step, change(signed, signatures=(bytes(64),) * 2))

    step = "transaction-signature"
    good = signed.signatures[0]
    add("bit flipped in R", step, change(signed, signatures=(flip(good, 0),)))
    add("bit flipped in s", step, change(signed, signatures=(flip(good, 40),)))
    add("signature of zeros", step, change(signed, signatures=(bytes(64),)))
    add("signatures in another order than keys", step, change(signed_three, signatures=(second, first, third)))
    add("last of three signatures altered", step, change(signed_three, signatures=(first, second, flip(third, 1))))
    untagged = one_signer[0].sign(transaction_id(signed.body))
    add("signature over the id without its tag", step, change(signed, signatures=(untagged,)))
    foreign = SIGNED_TRANSACTION.decode(sign_transaction(*payment(9, (1,), "another")))
    add("signature of the same payment on another chain", step, change(signed, signatures=foreign.signatures))
    return vector_set(
        "Bundles of one receipt, and the trust root to check them with. All of them pass the steps of a bundle; what fails "
        "is the receipt, or the transaction in it. Steps: docs/spec/04-proofs.md, 'Bundle', what the verifier owes.",
        cases,
    )
