"""The second verifier, in plain JavaScript: it passes every vector, and judges fresh and mutated proofs as Python does."""

import json
import random
import subprocess
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from fujie.client.verifier import VerifiedReceipt, verify_file, verify_file_at
from fujie.core import identifier_forms, identifiers, signing
from fujie.core.encoding import Codec, encode
from fujie.core.errors import Refused, VerificationError
from fujie.core.hashing import version_digest
from fujie.core.limits import BUNDLE_PATH_BYTES_MAX
from fujie.core.signing import Signer
from fujie.core.versions import Standing, skip_target
from fujie.engine.admission import verify_transaction
from fujie.machine import genesis
from fujie.modules.currency.queries import BalanceQuery
from fujie.modules.identity.queries import IdentityQuery
from fujie.modules.membership.queries import ParametersQuery
from fujie.modules.membership.records import Organisation, Status
from fujie.modules.membership.state_keys import ORGANISATION
from fujie.proof.bundle import BUNDLE, Logged, with_path
from fujie.proof.commit import decided_ms, verify_commit
from fujie.proof.header import header_hash
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.past import in_force
from fujie.proof.trust import TrustRoot, decode_trust, encode_trust
from tests.conftest import ROOT
from tests.light.chain_node import chain_over, root_over
from tests.light.embedded_chain import CHAIN_ID, make_chain
from tests.light.signing_again import signed_again
from tests.light.tampering import voted_at, with_entry, without
from tests.unit.client import forging
from tests.unit.client.town import ALPHA, BETA, MONEY, NOWHERE, Town, open_town
from tests.verifier import mutation
from tests.verifier.second import FOLDER, Case, assert_agreement, node
from tools.vector_sets.encoding import TYPES

pytestmark = pytest.mark.node

SEED = 20_260_701
RENAMES = 12

h = bytes.fromhex


def rng_of(name: str) -> random.Random:
    return random.Random(f"{SEED} {name}")


def valid_vectors(name: str) -> list[dict[str, Any]]:
    cases = json.loads((ROOT / "vectors" / name).read_text("utf-8"))["cases"]
    return [one for one in cases if one["expect"] == "valid"]


def test_passes_every_vector():
    files = sorted(str(path) for path in FOLDER.glob("*.test.mjs"))
    done = subprocess.run([node(), "--test", *files], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, "\n".join(
        line for line in done.stdout.splitlines() if not line.startswith(("ok", "# Subtest"))
    )[-8_000:]
    assert "\n# skipped 0\n" in done.stdout


# Fresh proofs of a real chain.


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with open_town(tmp_path_factory.mktemp("second") / "ledger") as town:
        for number in range(RENAMES):
            town.ledger.update(BETA, name=f"Beta {number}")
        yield town


@pytest.fixture(scope="module")
def bundles(town: Town) -> list[tuple[bytes, int | None]]:
    """Presence, absence, several at once, salted, receipt, and the past: each with the time to ask about, if any."""
    read, ledger = town.ledger.transport.read, town.ledger
    balance = BalanceQuery(town.payer_wallet, MONEY)
    grant = ledger.grant(f"wallet/{town.payer_wallet.hex()}", [town.payer])
    beta = ledger.resolve(BETA).record
    assert beta is not None
    born_ms = beta.standing.created_ms
    asked = [
        (read([encode(IdentityQuery(ALPHA))]), None),
        (read([encode(IdentityQuery(NOWHERE))]), None),
        (read([encode(one) for one in (ParametersQuery(), IdentityQuery(BETA), IdentityQuery(NOWHERE))]), None),
        (read([encode(balance)], grant), None),
        (ledger.receipt_bundle(town.payment.transaction_id), None),
        (ledger.receipt_bundle(town.other_payment.transaction_id), None),
        (read([encode(IdentityQuery(ALPHA))], None, town.before_rename_ms), town.before_rename_ms),
        (read([encode(IdentityQuery(BETA))], None, born_ms), born_ms),
        (read([encode(IdentityQuery(BETA))], None, born_ms - 1), born_ms - 1),
        (read([encode(IdentityQuery(NOWHERE))], None, born_ms), born_ms),
    ]
    assert len(forging.item_of(asked[7][0]).versions) > 1
    return asked


def file_case(data: bytes, trust: TrustRoot, at_ms: int | None) -> Case:
    return {"judge": "file", "bytes": data.hex(), "trust": encode_trust(trust).decode(), "at_ms": at_ms}


def judge_file(case: Case) -> Any:
    data, trust, at_ms = h(case["bytes"]), decode_trust(case["trust"].encode()), case["at_ms"]
    proven = verify_file(data, trust) if at_ms is None else verify_file_at(data, trust, at_ms)
    shown = []
    for one in proven:
        value = one.receipt if isinstance(one, VerifiedReceipt) else one.record
        shown.append(None if value is None else encode(value).hex())
    return [proven[0].header_hash.hex(), proven[0].header.time_ms, shown]


def test_accepts_fresh_proofs_of_every_kind(town, bundles):
    cases = [file_case(data, town.ledger.trust, at_ms) for data, at_ms in bundles]
    assert assert_agreement(cases, judge_file) == {"valid": len(bundles)}


def test_agrees_on_fresh_proofs_asked_about_another_time_or_chain(town, bundles):
    trust = town.ledger.trust
    others = [
        msgspec.structs.replace(trust, chain_id="other-" + "0" * 32),
        msgspec.structs.replace(trust, validators_hash="0" * 64),
        msgspec.structs.replace(trust, state_tree_depth=4),
        msgspec.structs.replace(trust, state_tree_depth=24),
    ]
    cases = [file_case(data, other, at_ms) for data, at_ms in bundles for other in others]
    for data, _ in bundles:
        header_ms = forging.parts(data)[1].header.time_ms
        cases += [
            file_case(data, trust, at_ms) for at_ms in (0, town.before_rename_ms, header_ms - 1, header_ms, 2**53)
        ]
    steps = assert_agreement(cases, judge_file)
    assert {"valid", "chain-id", "validators", "answer-time", "past-needless", "past-incomplete"} <= set(steps)


def test_agrees_on_mutated_bundles(town, bundles):
    rng = rng_of("bundles")
    cases = []
    for _ in range(700):
        data, at_ms = rng.choice(bundles)
        cases.append(
            file_case(rng.choice([mutation.of_record] * 3 + [mutation.of_bytes])(rng, data), town.ledger.trust, at_ms)
        )
    steps = assert_agreement(cases, judge_file)
    # Random changes reach the late steps as well as the early ones.
    assert {"decode", "chain-id", "app-hash", "state-leaf", "state-root", "log-root", "past-link"} <= set(steps)


def test_agrees_on_bundles_with_a_mutated_light_block(town, bundles):
    rng = rng_of("light blocks")
    cases = []
    for _ in range(300):
        data, at_ms = rng.choice(bundles)
        block = mutation.of_bytes(rng, forging.parts(data)[0].light_block)
        cases.append(file_case(forging.with_fields(data, light_block=block), town.ledger.trust, at_ms))
    steps = assert_agreement(cases, judge_file)
    assert {"decode", "header-hash", "commit-signature"} <= set(steps)


def led(data: bytes, depth: int) -> tuple[bytes, TrustRoot, list[LightBlock]]:
    """What ``data`` proves under the last header of a chain that grew and changed, with a path from its first validator."""
    bundle = BUNDLE.decode(data)
    alone, four, five = {1: 10}, {2: 10, 3: 10, 4: 10, 5: 10}, {2: 10, 3: 10, 4: 10, 5: 10, 6: 10}
    chain = chain_over(bundle, [alone] * 40 + [four] * 5 + [five] * 5)
    path = [chain[height - 1] for height in (40, 41, 46)]
    bundle = msgspec.structs.replace(bundle, light_block=encode_light_block(chain[-1]))
    made = with_path(bundle, path)
    assert made is not None
    trust = root_over(bundle, alone, depth=depth, trust_period_ms=1_000_000)
    return encode(made), trust, [*path, chain[-1]]


def test_agrees_on_bundles_whose_path_was_mutated(town, bundles):
    rng = rng_of("paths")
    cases, trusts = [], []
    for data, at_ms in bundles[:6]:
        whole, trust, blocks = led(data, town.ledger.trust.state_tree_depth)
        trusts.append(file_case(whole, trust, at_ms))
        encoded = [encode_light_block(block) for block in blocks]
        for _ in range(80):
            changed = list(encoded)
            at = rng.randrange(len(changed))
            match rng.randrange(7):
                case 0:
                    del changed[at]
                case 1:
                    changed.insert(at, changed[at])
                case 2:
                    rng.shuffle(changed)
                case 3:
                    whole_again = mutation.of_record(rng, whole)
                    cases.append(file_case(whole_again, trust, at_ms))
                    continue
                case 4:
                    field = rng.choice(["height", "time_ns", "app_hash", "next_validators_hash", "chain_id"])
                    header = blocks[at].header
                    value = rng.choice([getattr(block.header, field) for block in blocks])
                    other = msgspec.structs.replace(header, **{field: value})
                    changed[at] = encode_light_block(
                        signed_again(blocks[at], tuple(range(1, 7)), **{field: getattr(other, field)})
                    )
                case 5:
                    changed[at] = encode_light_block(
                        without(blocks[at], rng.randrange(len(blocks[at].commit.signatures)))
                    )
                case _:
                    changed[at] = mutation.of_bytes(rng, changed[at])
            if changed:
                cases.append(
                    file_case(
                        forging.with_fields(whole, path=tuple(changed[:-1]), light_block=changed[-1]), trust, at_ms
                    )
                )
    assert assert_agreement(trusts, judge_file) == {"valid": len(trusts)}
    steps = assert_agreement(cases, judge_file)
    expected = {
        "valid",
        "decode",
        "validators",
        "light-height",
        "light-trust",
        "light-announced",
        "header-hash",
        "commit-signature",
    }
    assert expected <= set(steps)


def test_agrees_on_how_long_a_path_may_be(town, bundles):
    whole, trust, blocks = led(bundles[0][0], town.ledger.trust.state_tree_depth)
    long = [encode_light_block(block) for block in blocks[:-1]]
    padded = b"\0" * (BUNDLE_PATH_BYTES_MAX - sum(map(len, long)))
    cases = [
        file_case(forging.with_fields(whole, path=(*long, *extra)), trust, None)
        for extra in ((padded,), (padded + b"\0",), (b"",) * 61, (b"",) * 62)
    ]
    assert assert_agreement(cases, judge_file) == {"decode": 4}


def test_agrees_on_receipts_with_a_mutated_transaction(town, bundles):
    rng = rng_of("transactions")
    receipts = [data for data, _ in bundles if isinstance(forging.item_of(data), Logged)]
    cases = []
    for _ in range(400):
        data = rng.choice(receipts)
        changed = mutation.of_record(rng, forging.item_of(data).transaction)
        cases.append(file_case(forging.with_item(data, transaction=changed), town.ledger.trust, None))
    steps = assert_agreement(cases, judge_file)
    assert {"decode", "log-root", "transaction-keys", "transaction-signature"} <= set(steps)


def test_agrees_on_headers_that_a_trusted_validator_signed_over_nonsense(town, bundles):
    """A forger who holds the key of the only validator: what is left are the steps under the header."""
    rng, forger = rng_of("headers"), Signer(sha256(b"forger").digest())
    header = forging.parts(bundles[0][0])[1].header
    trust = msgspec.structs.replace(
        town.ledger.trust, validators_hash=forging.signed_by(forger, header).header.validators_hash.hex()
    )
    changes: list[dict[str, Any]] = [
        {},
        {"height": 1},
        {"height": 2**63 - 1},
        {"time_ns": 1},
        {"time_ns": -1},
        {"data_hash": b""},
        {"app_hash": b""},
        {"app_hash": rng.randbytes(32)},
        {"app_hash": rng.randbytes(64)},
    ]
    cases = [
        file_case(forging.resigned(data, forger, **change), trust, at_ms)
        for data, at_ms in bundles
        for change in changes
    ]
    steps = assert_agreement(cases, judge_file)
    assert {"valid", "app-hash", "answer-receipt"} <= set(steps)


# Every decoder, and the checks that need no chain.


ELSEWHERE = {
    "Transaction": ("transactions.json", "body"),
    "SignedTransaction": ("transactions.json", "transaction"),
    "SignedGrant": ("grants.json", "grant"),
    "Bundle": ("bundles.json", "bundle"),
    "Genesis": ("genesis.json", "genesis"),
}
"""Where vectors of a type stand that encoding.json has none of: file and member."""


@pytest.mark.parametrize("name", TYPES)
def test_agrees_on_mutated_records(name):
    originals = [h(one["bytes"]) for one in valid_vectors("encoding.json") if one["type"] == name]
    file, field = ELSEWHERE.get(name, (None, ""))
    if file is not None:
        originals += [h(one[field]) for one in valid_vectors(file)]
    if name == "CodebookEntry":
        originals += [h(one["entries"][0]) for one in valid_vectors("codebook.json")]
    originals = originals or [b"\x91\x01"]  # no valid one in the vectors: how it is refused is compared
    cases = [
        {"judge": "decode", "type": name, "bytes": one.hex()} for one in mutation.mutants(rng_of(name), originals, 120)
    ]
    codec: Codec[Any] = TYPES[name]
    assert_agreement(cases, lambda case: encode(codec.decode(h(case["bytes"]))).hex())


def test_agrees_on_mutated_transactions():
    rng = rng_of("transactions")
    originals = [h(one["transaction"]) for one in valid_vectors("transactions.json")]
    cases = [{"judge": "transaction", "bytes": one.hex()} for one in mutation.mutants(rng, originals, 200)]

    def judge(case: Case) -> Any:
        try:
            return verify_transaction(h(case["bytes"])).id.hex()
        except Refused as refused:
            raise VerificationError(refused.reason.name.lower().replace("_", "-"), "") from None

    assert set(assert_agreement(cases, judge)) == {"valid", "transaction-malformed", "signature-invalid"}


def test_agrees_on_mutated_light_blocks():
    rng = rng_of("blocks")
    vectors = valid_vectors("light-blocks.json")
    cases = []
    for _ in range(400):
        one = rng.choice(vectors)
        data = mutation.of_bytes(rng, h(one["light_block"]))
        cases.append({"judge": "light-block", "bytes": data.hex(), "chain_id": one["chain_id"]})

    def judge(case: Case) -> Any:
        block = decode_light_block(h(case["bytes"]))
        verify_commit(case["chain_id"], block.validators, block.header, block.commit)
        return header_hash(block.header).hex()

    steps = assert_agreement(cases, judge)
    assert {"decode", "header-hash", "commit-signature", "valid"} <= set(steps)


def test_agrees_on_when_a_block_was_decided_on():
    rng = rng_of("decided")
    cases = []
    for _ in range(60):
        names = range(1, rng.randint(2, 7))
        [block] = make_chain([{name: rng.randint(1, 30) for name in names}])
        block = voted_at(block, {name: rng.randint(1, 2**41) for name in names})
        if rng.random() < 0.3:
            block = with_entry(block, rng.randrange(len(names)), time_ns=10**18)
        cases.append({"judge": "decided", "bytes": encode_light_block(block).hex(), "chain_id": CHAIN_ID})

    def judge(case: Case) -> Any:
        block = decode_light_block(h(case["bytes"]))
        return decided_ms(case["chain_id"], block.validators, block.commit)

    assert assert_agreement(cases, judge)["valid"] > 40


def test_agrees_on_mutated_geneses():
    rng = rng_of("genesis")
    originals = [h(one["genesis"]) for one in valid_vectors("genesis.json")]
    cases = [{"judge": "genesis", "bytes": one.hex()} for one in mutation.mutants(rng, originals, 200)]
    steps = assert_agreement(cases, lambda case: genesis.chain_id(genesis.load(h(case["bytes"]))))
    assert {"valid", "decode"} <= set(steps)


def test_agrees_on_mutated_identifiers():
    rng = rng_of("identifiers")
    cases = []
    for _ in range(600):
        text = rng.choice(
            ["ZZ.156.1301", "ZZ.156", "ZZ", "MA.156.8800.AB12", "ZZ.156" + ".1" * 10, "ZZ.156." + "A" * 32]
        )
        form = rng.choice(["identifier", "people"])
        if form == "people" and len(text) > 2:
            text = identifier_forms.with_check(text)
        for _ in range(rng.randrange(3)):
            text = mutation.of_text(rng, text)
        cases.append({"judge": form, "text": text})

    def judge(case: Case) -> Any:
        try:
            if case["judge"] == "people":
                return identifier_forms.parse_people_form(case["text"])
            return identifier_forms.with_check(identifiers.parse(case["text"]))
        except identifiers.IdentifierError as error:
            raise VerificationError(error.fault.value, "") from None

    assert {"valid", "check", "check-missing", "lower-case", "foreign-character"} <= set(assert_agreement(cases, judge))


def test_agrees_on_mutated_trust_roots():
    rng = rng_of("trust")
    texts = [one["text"] for one in valid_vectors("trust-roots.json")]
    cases = []
    for _ in range(300):
        text = rng.choice(texts)
        for _ in range(rng.randrange(1, 3)):
            text = mutation.of_text(rng, text)
        cases.append({"judge": "trust-root", "text": text})
    steps = assert_agreement(cases, lambda case: msgspec.to_builtins(decode_trust(case["text"].encode())))
    assert {"valid", "trust-root"} == set(steps)


def test_agrees_on_signatures_at_the_edges_of_the_curve():
    rng = rng_of("signatures")
    vectors = json.loads((ROOT / "vectors" / "signatures.json").read_text("utf-8"))["cases"]
    keys = json.loads((ROOT / "vectors" / "public-keys.json").read_text("utf-8"))["cases"]
    points = [h(one["public_key"]) for one in (*vectors, *keys)] + [h(one["signature"])[:32] for one in vectors]
    cases = []
    for _ in range(400):
        one = rng.choice(vectors)
        key, message, signature = h(one["public_key"]), h(one["message"]), h(one["signature"])
        match rng.randrange(4):
            case 0:
                key = rng.choice(points)
            case 1:
                signature = rng.choice(points) + signature[32:]
            case 2:
                key, signature = rng.choice(points), rng.choice(points) + bytes(32)
            case _:
                signature = mutation.of_bytes(rng, signature)
        cases.append({"judge": "signature", "key": key.hex(), "message": message.hex(), "signature": signature.hex()})

    def judge(case: Case) -> Any:
        key = h(case["key"])
        valid = signing.verify(key, h(case["message"]), h(case["signature"]))
        return [valid, signing.is_sound_public_key(key)]

    assert_agreement(cases, judge)


# The past: chains of versions whose links hold, with something wrong in one of them.


def history(rng: random.Random, length: int) -> list[bytes]:
    """``length`` versions of one record, oldest first; now and then one is changed, and what follows links to it as it is."""
    encoded: list[bytes] = []
    times = sorted(rng.randrange(1_000) for _ in range(length))
    for number in range(1, length + 1):
        previous = version_digest(encoded[-1]) if encoded else b""
        target = skip_target(number)
        skip = version_digest(encoded[target - 1]) if target else b""
        at = times[number - 1]
        standing = Standing(number, at + 1, at, times[0] + 1, times[0], previous, skip)
        record = Organisation("town", f"version {number}", Status.ACTIVE, 1, standing)
        if rng.random() < 0.12:
            field = rng.choice([one for one in standing.__struct_fields__ if one not in ("previous", "skip")])
            value = max(0, getattr(standing, field) + rng.choice([-500, -2, -1, 1, 2, 500]))
            record = msgspec.structs.replace(record, standing=msgspec.structs.replace(standing, **{field: value}))
        if rng.random() < 0.04:
            record = msgspec.structs.replace(record, name="other")
        if rng.random() < 0.04:
            record = msgspec.structs.replace(
                record, standing=msgspec.structs.replace(record.standing, **{rng.choice(["previous", "skip"]): b""})
            )
        encoded.append(encode(record))
    return encoded


def path_through(rng: random.Random, versions: list[bytes], at_ms: int) -> list[bytes]:
    """What an honest or a careless server sends: by skips where they do not pass ``at_ms``, now and then otherwise."""
    records = [ORGANISATION.decode(one) for one in versions]
    number, path = len(versions), []
    while number > 1 and records[number - 1].standing.since_ms > at_ms:
        target = skip_target(number)
        leaps = target > 0 and (records[target - 1].standing.since_ms > at_ms or rng.random() < 0.05)
        number = target if leaps and rng.random() < 0.9 else number - 1
        path.append(versions[number - 1])
        if rng.random() < 0.02:
            break
    if rng.random() < 0.05 and number > 1:
        path.append(versions[number - 2])
    if path and rng.random() < 0.1:
        at = rng.randrange(len(path))
        path[at] = rng.choice([mutation.of_bytes(rng, path[at]), rng.choice(versions)])
    return path


def test_agrees_on_the_past():
    rng = rng_of("past")
    cases = []
    for _ in range(600):
        versions = history(rng, rng.randrange(1, 24))
        at_ms = rng.choice([rng.randrange(1_000), ORGANISATION.decode(rng.choice(versions)).standing.since_ms])
        older = [one.hex() for one in path_through(rng, versions, at_ms)]
        cases.append({"judge": "past", "record": versions[-1].hex(), "versions": older, "at_ms": at_ms})

    def judge(case: Case) -> Any:
        older = [h(one) for one in case["versions"]]
        found = in_force(
            ORGANISATION.decode(h(case["record"])), older, case["at_ms"], ORGANISATION, lambda one: one.name
        )
        return None if found is None else encode(found).hex()

    steps = assert_agreement(cases, judge)
    expected = {"valid", "past-standing", "past-needless", "past-link", "past-number", "past-created", "past-time"}
    assert expected | {"past-subject", "past-incomplete"} <= set(steps)
