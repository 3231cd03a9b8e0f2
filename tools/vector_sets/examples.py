"""Worked examples of docs/spec: the same values as in the vectors, taken apart byte by byte."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import msgspec

from fujie.client.sealing import Cost, seal
from fujie.core.encoding import encode
from fujie.core.hashing import app_hash
from fujie.core.signing import public_key
from fujie.core.transaction import sign_transaction, signing_message, transaction_id
from fujie.proof.header import encode_header, header_hash
from fujie.proof.light_block import encode_light_block
from fujie.proof.merkle_state import bucket_number, empty_digests, key_hash, value_digest
from fujie.proof.trust import encode_trust
from fujie.proof.vote import VoteTemplate
from tools.vector_sets.chain import CHAIN_ID, World, header_of, set_of, sign
from tools.vector_sets.signing import payment

_WIDTH: Final = 96


def _hex(data: bytes) -> str:
    text = data.hex()
    return "\n".join(text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH))


def dissect(data: bytes) -> str:
    """Return canonical bytes one element a line: the bytes, indented by depth, and what they mean."""
    lines: list[str] = []
    _dissect(msgspec.msgpack.decode(data), 0, lines)
    return "\n".join(lines)


def _dissect(value: Any, depth: int, lines: list[str]) -> None:
    indent = "  " * depth
    if isinstance(value, list):
        empty = encode([None] * len(value))
        head = empty[: len(empty) - len(value)]
        lines.append(f"{indent}{head.hex()}  array of {len(value)}")
        for item in value:
            _dissect(item, depth + 1, lines)
        return
    raw = encode(value)
    if isinstance(value, bytes):
        lines.append(f"{indent}{raw[:2].hex()} {value.hex()}  bin of {len(value)}")
    else:
        lines.append(f"{indent}{raw.hex()}  {value!r}")


def _payment() -> str:
    body, signers = payment()
    data = encode(body)
    identifier = transaction_id(data)
    return "\n".join(
        (
            "body:",
            dissect(data),
            "",
            f"transaction id   = sha256(10 || body)\n                 = {identifier.hex()}",
            f"signing message  = {signing_message(identifier).hex()}",
            "",
            "signed transaction:",
            dissect(sign_transaction(body, signers)),
        )
    )


def _leaf() -> str:
    path, record = b"identity/id/ZZ.156.1301", b"\x92\x01\xb0record of a city"
    place = key_hash(path)
    return "\n".join(
        (
            f"path             = {path.decode()!r} ({len(path)} bytes)",
            f"key hash         = sha256(20 || path)\n                 = {place.hex()}",
            f"record           = {record.hex()}",
            f"value digest     = sha256(21 || 00 || record), no salt\n                 = {value_digest(b'', record).hex()}",
            f"bucket, depth 4  = {bucket_number(place, 4)}",
            f"bucket, depth 18 = {bucket_number(place, 18)}",
            f"empty bucket     = sha256(22)\n                 = {empty_digests(4)[0].hex()}",
            f"empty, height 1  = sha256(23 || empty bucket || empty bucket)\n                 = {empty_digests(4)[1].hex()}",
        )
    )


def _app_hash() -> str:
    world = World()
    return "\n".join(
        (
            f"state root = {world.tree.root.hex()}",
            f"log root   = {world.log.root.hex()}",
            "log size   = 3",
            f"app hash   = sha256(30 || state root || log root || 0000000000000003)\n           = {world.app_hash.hex()}",
        )
    )


def _header() -> str:
    validators = set_of({1: 10})
    header = header_of(validators, app_hash(bytes(32), bytes(32), 0))
    block = sign(header, validators, {1: 10})
    commit = block.commit
    entry = commit.signatures[0]
    message = VoteTemplate(CHAIN_ID, commit.height, commit.round, commit.block_id).sign_bytes(entry.time_ns)
    return "\n".join(
        (
            f"header (tendermint.types.Header):\n{_hex(encode_header(header))}",
            f"header hash:\n{header_hash(header).hex()}",
            f"validators hash:\n{header.validators_hash.hex()}",
            f"sign bytes of the one vote:\n{_hex(message)}",
            f"light block (tendermint.types.LightBlock):\n{_hex(encode_light_block(block))}",
        )
    )


def _trust_root() -> str:
    return encode_trust(World().trust).decode().rstrip()


KEY_FILE_PASSPHRASE: Final = "correct horse battery staple"  # noqa: S105 - of an example


def _key_file() -> str:
    """The members one by one and not through ``client.keys``: a test opens the result with that."""
    seed, salt, nonce = bytes(range(32)), bytes(range(16)), bytes(range(24))
    label, public = "Anna", public_key(seed)
    binding = sha256(b"fujie-key-1" + public + label.encode()).digest()
    sealed = seal(seed + binding, KEY_FILE_PASSPHRASE, salt, nonce, Cost(1, 8_192))
    argon2id = {"operations": 1, "memory_bytes": 8_192, "salt": salt.hex()}
    secret = {"protection": "passphrase", "argon2id": argon2id, "nonce": nonce.hex(), "sealed": sealed.data.hex()}
    file = {"format": "fujie-key-1", "label": label, "public_key": public.hex(), "secret": secret, "checksum": ""}
    text = json.dumps(file, ensure_ascii=False, separators=(",", ":"))
    file["checksum"] = sha256(text.encode()).hexdigest()
    return json.dumps(file, ensure_ascii=False, indent=2)


EXAMPLES: Final[dict[str, Callable[[], str]]] = {
    "payment": _payment,
    "leaf": _leaf,
    "app-hash": _app_hash,
    "header": _header,
    "trust-root": _trust_root,
    "key-file": _key_file,
}
