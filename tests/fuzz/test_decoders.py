"""Every decoder of bytes from outside: whatever comes in, a value or a named error comes out, and nothing else.

The profile decides how many examples there are (tests/conftest.py): 200 in ``make test``, 10,000 in the nightly run. Seeds
of the mutations are the good cases of ``vectors/``, so that the bytes get past the first few checks.
"""

import functools
import importlib
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.client.keys import load_key, save_key
from fujie.client.wallet import WalletFile, load_wallet, save_wallet
from fujie.core import identifier_forms, identifiers
from fujie.core.encoding import Codec
from fujie.core.errors import FujieError, Refused, VerificationError
from fujie.core.json_form import from_json, to_json
from fujie.core.signing import Signer
from fujie.engine.admission import verdict, verify_transaction
from fujie.machine import genesis
from fujie.proof import bundle, checkpoint, evidence, light_attack
from fujie.proof.block_evidence import (
    LightClientAttack,
    decode_block_evidence,
    decode_evidence_list,
    encode_block_evidence,
    encode_evidence_list,
)
from fujie.proof.comet_json import SignedHeaderJson, decode_json, read_commit, read_header
from fujie.proof.commit import verify_commit
from fujie.proof.header import decode_header, encode_header
from fujie.proof.light_block import decode_light_block
from fujie.proof.trust import TrustRoot, decode_trust
from fujie.proof.validators import decode_validator_set, encode_validator_set
from fujie.proof.vote import decode_commit, encode_commit
from tests.conftest import ROOT
from tests.engine.several import voted_twice
from tests.light.comet_answers import signed_header
from tests.unit.core.canonical import BOMBS, ENVELOPES, encodings, mutated

pytestmark = pytest.mark.slow

Decoder = Callable[[bytes], Any]


def good(name: str, field: str) -> list[bytes]:
    """Return an input of every valid case of a vector file, but not the very long ones."""
    cases = json.loads((ROOT / "vectors" / name).read_text("utf-8"))["cases"]
    found = [case[field] for case in cases if case["expect"] == "valid"]
    return [data for one in found if len(data := bytes.fromhex(one)) < 8_192]


LIGHT_BLOCKS = [decode_light_block(data) for data in good("light-blocks.json", "light_block")]
BUNDLES = good("bundles.json", "bundle")
TRUST: TrustRoot = decode_trust(
    json.dumps(json.loads((ROOT / "vectors" / "bundles.json").read_text("utf-8"))["cases"][0]["trust_root"]).encode()
)
PATH_VECTOR = json.loads((ROOT / "vectors" / "light-paths.json").read_text("utf-8"))["cases"][1]
PATHS = [bytes.fromhex(PATH_VECTOR["bundle"])]
PATH_TRUST: TrustRoot = decode_trust(json.dumps(PATH_VECTOR["trust_root"]).encode())
TRUST_TEXTS = [
    case["text"].encode()
    for case in json.loads((ROOT / "vectors" / "trust-roots.json").read_text("utf-8"))["cases"]
    if case["expect"] == "valid"
]


EVIDENCE = [
    voted_twice(Signer(bytes(32)), 7),
    encode_block_evidence(LightClientAttack(LIGHT_BLOCKS[0], 3, LIGHT_BLOCKS[0].validators.validators, 10, 1)),
]
FORKS = [evidence.encode_evidence(evidence.fork_file(LIGHT_BLOCKS[0], LIGHT_BLOCKS[-1], LIGHT_BLOCKS[:2]))]
ATTACKS = [light_attack.encode_attack(LIGHT_BLOCKS[:1], LIGHT_BLOCKS[:1], LIGHT_BLOCKS[-1:])]
LOG_SIGNER = checkpoint.CheckpointSigner("demo/log", Signer(bytes(32)))
CHECKPOINT = checkpoint.encode_checkpoint(checkpoint.Checkpoint("demo/log", 7, bytes(32)))


def verify_light_block(data: bytes) -> None:
    """Decode a light block and verify its commit, as a light client does."""
    block = decode_light_block(data)
    verify_commit(block.header.chain_id, block.validators, block.header, block.commit)


@functools.wraps(decode_json)
def read_signed_header(data: bytes) -> None:
    """Read header and commit as CometBFT tells them in JSON."""
    told = decode_json(data, SignedHeaderJson)
    read_header(told.header)
    read_commit(told.commit)


def as_text(parse: Callable[[str], Any]) -> Decoder:
    """Return ``parse`` as a decoder of bytes, each byte one character or, where they are UTF-8, as text."""

    @functools.wraps(parse)
    def decode(data: bytes) -> Any:
        try:
            return parse(data.decode())
        except UnicodeDecodeError:
            return parse(data.decode("latin-1"))

    return decode


DECODERS: dict[str, tuple[Decoder, list[bytes]]] = {
    "header": (decode_header, [encode_header(block.header) for block in LIGHT_BLOCKS]),
    "commit": (decode_commit, [encode_commit(block.commit) for block in LIGHT_BLOCKS]),
    "validator set": (decode_validator_set, [encode_validator_set(block.validators) for block in LIGHT_BLOCKS]),
    "light block": (verify_light_block, good("light-blocks.json", "light_block")),
    "signed header in JSON": (
        read_signed_header,
        [json.dumps(signed_header(block)).encode() for block in LIGHT_BLOCKS],
    ),
    "evidence of misbehaviour": (decode_block_evidence, EVIDENCE),
    "evidence of a block": (decode_evidence_list, [encode_evidence_list(EVIDENCE)]),
    "evidence file": (evidence.decode_evidence, FORKS),
    "evidence file, verified": (lambda data: evidence.verify_evidence(data, TRUST), FORKS),
    "attack file": (light_attack.decode_attack, ATTACKS),
    "attack file, verified": (lambda data: light_attack.check_evidence(data, TRUST), ATTACKS),
    "bundle": (lambda data: bundle.verify(data, TRUST), BUNDLES),
    "bundle with a path": (lambda data: bundle.verify(data, PATH_TRUST), PATHS),
    "trust root": (decode_trust, TRUST_TEXTS),
    "signed transaction": (verify_transaction, good("transactions.json", "transaction")),
    "genesis": (genesis.load, [bytes.fromhex("9501a178019090")]),
    "checkpoint": (as_text(checkpoint.decode_checkpoint), [CHECKPOINT.encode()]),
    "verifier key": (as_text(checkpoint.decode_verifier_key), [LOG_SIGNER.key.encode().encode()]),
    "signed checkpoint": (
        lambda data: checkpoint.verify_checkpoint(data, LOG_SIGNER.key),
        [LOG_SIGNER.sign(7, bytes(32))],
    ),
    "identifier": (as_text(identifiers.parse), [b"ZZ.156.1301", "ZZ.156.石".encode()]),
    "identifier for people": (as_text(identifier_forms.parse_people_form), [b"ZZ.156.1301-AB"]),
    "DID": (as_text(identifier_forms.parse_did), [b"did:fujie:demo:ZZ.156"]),
    "URN": (as_text(identifier_forms.parse_urn), [b"urn:fujie:demo:ZZ.156"]),
    "HTTP form": (
        as_text(identifier_forms.parse_http),
        [b"https://id.example:8443/ids/ZZ.156", b"http://localhost/ids/ZZ.156"],
    ),
}
"""Decoders that are not a codec alone, and good inputs."""


def found_codecs() -> Iterator[tuple[str, Codec[Any]]]:
    """Yield every codec that a module of core, proof, machine, client or api defines for bytes from outside."""
    for path in sorted((ROOT / "src" / "fujie").rglob("*.py")):
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
        if parts[1] in ("core", "proof", "machine", "client", "api") and parts[-1] != "__init__":
            module = importlib.import_module(".".join(parts))
            for name, value in vars(module).items():
                if isinstance(value, Codec) and not name.startswith("_"):
                    yield f"{module.__name__}.{name}", value


_SEEN = {codec.type for codec in ENVELOPES.values()}
CODECS: dict[str, Codec[Any]] = {**ENVELOPES, **{n: codec for n, codec in found_codecs() if codec.type not in _SEEN}}


def survives(decode: Decoder, data: bytes) -> None:
    """Call ``decode``; only the two families of error that blame the input may come out, each with a name to tell."""
    try:
        decode(data)
        said = "nothing"
    except VerificationError as error:
        said = error.step and str(error)
    except Refused as refused:
        said = str(refused)
    assert said


ALL = pytest.mark.parametrize("name", DECODERS)
EVERY_CODEC = pytest.mark.parametrize("name", CODECS)


@ALL
@given(data=st.binary(max_size=400))
def test_random_bytes_give_named_errors_only(name: str, data: bytes) -> None:
    survives(DECODERS[name][0], data)


@ALL
@given(data=st.data())
def test_mutated_bytes_give_named_errors_only(name: str, data: st.DataObject) -> None:
    decode, seeds = DECODERS[name]
    survives(decode, data.draw(mutated(st.sampled_from(seeds))))


@ALL
def test_the_seeds_of_the_mutations_are_good(name: str) -> None:
    decode, seeds = DECODERS[name]
    assert seeds
    for seed in seeds:
        survives(decode, seed)


@EVERY_CODEC
@given(data=st.binary(max_size=400))
def test_random_bytes_give_decode_errors_only(name: str, data: bytes) -> None:
    survives(CODECS[name].decode, data)


@EVERY_CODEC
@given(data=st.data())
def test_mutated_encodings_give_decode_errors_only(name: str, data: st.DataObject) -> None:
    codec = CODECS[name]
    survives(codec.decode, data.draw(mutated(encodings(codec))))


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: f"{bomb[:6].hex()} and so on, {len(bomb)} bytes")
@pytest.mark.parametrize("name", [*DECODERS, *CODECS])
def test_bombs_of_depth_and_length_give_named_errors_only(name: str, bomb: bytes) -> None:
    decode = DECODERS[name][0] if name in DECODERS else CODECS[name].decode
    survives(decode, bomb)
    survives(decode, b"\x97\x01\xa1x" + bomb)


@pytest.mark.parametrize(
    "text",
    [b"[" * 100_000, b'{"a":' * 100_000, b'"' + b"x" * 10**6, b"\xff", b"1e999", b"NaN"],
    ids=lambda text: repr(text[:8]),
)
def test_bombs_of_json_give_named_errors_only(text: bytes) -> None:
    survives(decode_trust, text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(data=st.data())
@pytest.mark.parametrize("name", ["Operation", "Query", "Transaction", "Genesis"])
def test_any_json_gives_decode_errors_only(name: str, data: st.DataObject) -> None:
    type_ = ENVELOPES[name].type
    survives(lambda _: from_json(type_, data.draw(json_values)), b"")


@given(data=st.data())
@pytest.mark.parametrize("name", ["Operation", "Query", "Transaction", "Receipt"])
def test_json_with_one_place_changed_gives_decode_errors_or_a_value_of_its_own(name: str, data: st.DataObject) -> None:
    codec = ENVELOPES[name]
    form = to_json(codec.decode(data.draw(encodings(codec))), named=name in ("Operation", "Query"))
    survives(lambda _: from_json(codec.type, _changed(data, form)), b"")


def _changed(data: st.DataObject, form: Any) -> Any:
    """Return ``form`` with something else in a place that is drawn."""
    if isinstance(form, dict) and form and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(form)))
        return form | {name: _changed(data, form[name])}
    if isinstance(form, list) and form and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(form) - 1))
        return [*form[:at], _changed(data, form[at]), *form[at + 1 :]]
    return data.draw(json_values)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "file"


@pytest.fixture(scope="module")
def file_seeds(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("good")
    save_key(folder / "plain", bytes(32), None, label="till")
    wallet = WalletFile(name="till", chain_id="demo", wallet="00" * 16, instrument="CNY", key_file="till.key")
    save_wallet(folder / "wallet", wallet)
    return [(folder / name).read_bytes() for name in ("plain", "wallet")]


@pytest.mark.parametrize("load", [load_key, load_wallet], ids=["key file", "wallet file"])
@given(data=st.data())
def test_mutated_files_of_a_client_give_named_errors_only(
    load: Callable[[Path], Any], data: st.DataObject, file: Path, file_seeds: list[bytes]
) -> None:
    file.write_bytes(data.draw(mutated(st.sampled_from(file_seeds)) | st.binary(max_size=200)))
    file.chmod(0o600)
    said = "nothing"
    try:
        load(file)
    except FujieError as error:
        said = str(error)
    assert said


@pytest.mark.parametrize("load", [load_key, load_wallet], ids=["key file", "wallet file"])
@pytest.mark.parametrize(
    "text", [b"[" * 4000, b'{"a":' * 800, b"\xff" * 4000, b"x" * 10_000], ids=lambda text: repr(text[:8])
)
def test_bombs_in_files_of_a_client_give_named_errors_only(
    load: Callable[[Path], Any], text: bytes, file: Path
) -> None:
    file.write_bytes(text)
    with pytest.raises(FujieError):
        load(file)


@given(data=st.binary(max_size=300))
def test_admission_answers_every_byte_string_with_a_number(data: bytes) -> None:
    assert verdict(data) in (1, 3)


def test_every_decoder_of_proof_and_core_is_in_the_table() -> None:
    """A module-level function that takes bytes and is called decode or load is an entrance; all are known here."""
    known = {inspect.unwrap(decode) for decode, _ in DECODERS.values()}
    inner = {
        "decode_time",
        "decode_block_id",
        "decode_validator",
    }  # of fields within a message; reached through the others
    for path in sorted((ROOT / "src" / "fujie" / "proof").glob("*.py")):
        module = importlib.import_module(f"fujie.proof.{path.stem}") if path.stem != "__init__" else None
        for name, value in vars(module).items() if module else ():
            if name.startswith("decode_") and value.__module__ == module.__name__ and name not in inner:  # type: ignore[union-attr]
                assert value in known or name == "decode_light_block", name
