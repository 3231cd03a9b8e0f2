"""Signed checkpoints of the transaction log, in the form that existing log clients read.

A checkpoint says "the log had so many entries, and this root". It is a signed note: text, an empty line, and a line for
each signature. Nothing of Fujie is needed to check it, and nothing of it replaces a header: the log's key belongs to one
node and vouches for that node's word, while more than two thirds of the validators vouch for a header. Whoever has both
holds them against each other with :func:`check_agrees_with_header`.

Source: c2sp.org/signed-note and c2sp.org/tlog-checkpoint (version 1.0.0 each); signature type 1, plain Ed25519.
"""

import binascii
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Final, NamedTuple

from fujie.core.errors import VerificationError
from fujie.core.hashing import DIGEST_BYTES, app_hash
from fujie.core.signing import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, Signer, verify
from fujie.proof.header import Header
from fujie.proof.merkle_log import LOG_SIZE_MAX

CHECKPOINT_BYTES_MAX: Final = 65_536  # ours has 300 bytes; sixteen signatures of witnesses fit in any scheme
SIGNATURES_MAX: Final = 100
KEY_ID_BYTES: Final = 4
VERIFIER_KEY_CHARACTERS_MAX: Final = 400

_ED25519: Final = b"\x01"  # the signature type of a plain Ed25519 signature over the text of a note
_DASH: Final = "\u2014 "


class Checkpoint(NamedTuple):
    """Size and root (32 bytes) of the log called ``origin``. ``extensions``: further lines of others, kept as they are."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


class VerifierKey(NamedTuple):
    """What verifies the notes of one signer: its name and its Ed25519 key (32 bytes)."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which a signature line names this key: a hint, and no commitment to the key."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:KEY_ID_BYTES]

    def encode(self) -> str:
        """Return the text that log clients are configured with: name, key id and key, joined by plus signs."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.public_key).decode()}"


class CheckpointSigner:
    """Signs checkpoints of one log. The name of the key is the origin of the log, as the specification wishes."""

    def __init__(self, origin: str, signer: Signer) -> None:
        """Raises ValueError for an origin that cannot name a key."""
        if not _is_key_name(origin):
            raise ValueError(f"{origin!r} cannot name a key")
        self.origin = origin
        self.key = VerifierKey(origin, signer.public_key)
        self._signer = signer

    def sign(self, size: int, root: bytes) -> bytes:
        """Return the signed checkpoint of the log with ``size`` entries and ``root``.

        The caller owes that this log is a beginning or a continuation of every log that it had signed before: here it
        is, because only logs under signed headers are.
        """
        text = encode_checkpoint(Checkpoint(self.origin, size, root))
        return sign_note(text, self.key, self._signer)


def log_origin(chain_id: str) -> str:
    """Return the name of a chain's log. It has the form of an address and is none: the chain id makes it unique."""
    return f"{chain_id}/log"


def encode_checkpoint(checkpoint: Checkpoint) -> str:
    """Return the text of a checkpoint, without signatures. Raises ValueError for what has no text."""
    lines = (checkpoint.origin, str(checkpoint.size), b64encode(checkpoint.root).decode(), *checkpoint.extensions)
    text = "".join(f"{line}\n" for line in lines)
    try:
        if decode_checkpoint(text) != checkpoint:
            raise ValueError("the text would say something else")
    except VerificationError as error:
        raise ValueError(error.detail) from None
    return text


def decode_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint of a note's text. Raises :class:`VerificationError`, step ``checkpoint-form``."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines) or not _is_printable(text):
        raise VerificationError("checkpoint-form", "not three lines of text or more, each of them ended")
    origin, size, root, *extensions = lines
    if not (size.isascii() and size.isdigit() and len(size) <= 19 and (size == "0" or size[0] != "0")):
        raise VerificationError("checkpoint-form", f"the size is no number: {size[:40]!r}")
    if int(size) > LOG_SIZE_MAX:
        raise VerificationError("checkpoint-form", f"no log has {size} entries")
    digest = _unpack(root)
    if digest is None or len(digest) != DIGEST_BYTES:
        raise VerificationError("checkpoint-form", "the root is no digest of 32 bytes")
    return Checkpoint(origin, int(size), digest, tuple(extensions))


def sign_note(text: str, key: VerifierKey, signer: Signer) -> bytes:
    """Return the note of ``text``, which ends in a line feed, with one signature."""
    assert text.endswith("\n"), "the text of a note ends its last line"
    signature = b64encode(key.key_id + signer.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{key.name} {signature}\n".encode()


def verify_note(note: bytes, key: VerifierKey) -> str:
    """Return the text of a note that ``key`` has signed.

    Steps, each of which raises :class:`VerificationError` under its name: ``note-form``: not the bytes of a note, longer
    than 65,536 or with more than 100 signatures; ``note-key``: no signature is of this key (those of others are passed
    over, as witnesses add theirs); ``note-signature``: a signature of this key is not valid.
    """
    text, lines = _split(note)
    own = []
    for line in lines:
        name, packed = _signature_line(line)
        if name == key.name and packed[:KEY_ID_BYTES] == key.key_id:
            own.append(packed[KEY_ID_BYTES:])
    if not own:
        raise VerificationError("note-key", f"no signature is of the key {key.encode()}")
    if not all(len(each) == SIGNATURE_BYTES and verify(key.public_key, text.encode(), each) for each in own):
        raise VerificationError("note-signature", f"the signature of the key {key.encode()} is not valid")
    return text


def verify_checkpoint(note: bytes, key: VerifierKey, origin: str | None = None) -> Checkpoint:
    """Return the checkpoint in a note that ``key`` has signed; ``origin`` is that of the log, by default the key's name.

    Steps: those of :func:`verify_note`, ``checkpoint-form``, ``checkpoint-origin`` (it is of another log). The caller
    still owes that the log has not shrunk or changed since the checkpoint it knows (``merkle_log``, consistency).
    """
    checkpoint = decode_checkpoint(verify_note(note, key))
    wanted = key.name if origin is None else origin
    if checkpoint.origin != wanted:
        raise VerificationError("checkpoint-origin", f"it is of the log {checkpoint.origin!r}, not {wanted!r}")
    return checkpoint


def check_agrees_with_header(checkpoint: Checkpoint, header: Header, state_root: bytes) -> None:
    """Check that a verified header commits to the very log of a checkpoint.

    ``state_root`` (32 bytes) is the other half of the app hash; every bundle under that header carries it. It needs no
    trust: no other one gives the same app hash. Raises :class:`VerificationError`, step ``checkpoint-header``, also when
    the header is merely of another block than the checkpoint.
    """
    if app_hash(state_root, checkpoint.root, checkpoint.size) != header.app_hash:
        raise VerificationError(
            "checkpoint-header",
            f"the header of height {header.height} commits to another log than that of {checkpoint.size} entries",
        )


def decode_verifier_key(text: str) -> VerifierKey:
    """Return the key of its text (:meth:`VerifierKey.encode`). Raises :class:`VerificationError`, step ``verifier-key``."""
    parts = text.split("+", 2)  # the last part is base64, which knows the plus sign too
    if len(text) > VERIFIER_KEY_CHARACTERS_MAX or len(parts) != 3 or not _is_key_name(parts[0]):
        raise VerificationError("verifier-key", "not a name, a key id and a key, joined by plus signs")
    data = _unpack(parts[2])
    if data is None or len(data) != 1 + PUBLIC_KEY_BYTES or data[:1] != _ED25519:
        raise VerificationError("verifier-key", "the key is no Ed25519 key of 32 bytes")
    key = VerifierKey(parts[0], data[1:])
    if parts[1] != key.key_id.hex():
        raise VerificationError("verifier-key", f"the key id is not that of name and key: {parts[1][:20]!r}")
    return key


def _split(note: bytes) -> tuple[str, list[str]]:
    """Return the text of a note and its signature lines. Raises ``note-form``."""
    if len(note) > CHECKPOINT_BYTES_MAX:
        raise VerificationError("note-form", f"{len(note)} bytes are more than {CHECKPOINT_BYTES_MAX}")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise VerificationError("note-form", "the bytes are not UTF-8") from None
    if not _is_printable(whole):
        raise VerificationError("note-form", "a control character stands in the note")
    text, found, signatures = whole.rpartition("\n\n")
    if not found or not signatures.endswith("\n"):
        raise VerificationError("note-form", "no signatures after an empty line, or the last line is not ended")
    lines = signatures[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise VerificationError("note-form", f"{len(lines)} signatures are more than {SIGNATURES_MAX}")
    return text + "\n", lines


def _signature_line(line: str) -> tuple[str, bytes]:
    """Return the name of a signature line, and key id and signature. Raises ``note-form``."""
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    packed = _unpack(encoded)
    if (
        not line.startswith(_DASH)
        or not space
        or not _is_key_name(name)
        or packed is None
        or len(packed) <= KEY_ID_BYTES
    ):
        raise VerificationError("note-form", f"no signature line: {line[:60]!r}")
    return name, packed


def _unpack(encoded: str) -> bytes | None:
    """Return the bytes of standard base64 in its one spelling, or None."""
    try:
        data = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if b64encode(data).decode() == encoded else None


def _is_key_name(name: str) -> bool:
    return bool(name) and name.isprintable() and "+" not in name and not any(each.isspace() for each in name)


def _is_printable(text: str) -> bool:
    return all(each >= " " or each == "\n" for each in text)
