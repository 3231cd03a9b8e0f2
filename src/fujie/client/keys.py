"""Key files: a secret key at rest, sealed under a passphrase (docs/spec/08-files.md, "Key file").

A key file is JSON that a person may read: the public key, a label and how the secret is protected stand in clear. It is
written whole or not at all, never over another file, for its owner only. Nothing here puts a secret into a message.
"""

import secrets
import stat
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from fujie.client.files import OWNER_ONLY, read_bounded, write_atomically
from fujie.client.sealing import (
    MEMORY_BYTES_MAX,
    MEMORY_BYTES_MIN,
    MODERATE,
    NONCE_BYTES,
    OPERATIONS_MAX,
    OPERATIONS_MIN,
    SALT_BYTES,
    Cost,
    Sealed,
    seal,
    unseal,
)
from fujie.core.errors import OperationalError
from fujie.core.signing import Signer, new_seed, public_key

KEY_FILE_BYTES_MAX: Final = 4_096
LABEL_CHARACTERS_MAX: Final = 100
PASSPHRASE_BYTES_MAX: Final = 1_024
_CHECK_BYTES: Final = 32

Hex32 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class KeyFileError(OperationalError):
    """Something is wrong with a key file; the subclasses say what."""


class KeyFileMissing(KeyFileError):
    """There is no file at the path, or it cannot be read."""


class KeyFileExists(KeyFileError):
    """A file stands at the path already; key files are never overwritten."""


class NotAKeyFile(KeyFileError):
    """The file is something else, or a key file of a format that this version does not know."""


class KeyFileDamaged(KeyFileError):
    """The file is a key file, but its content does not fit together."""


class KeyFileUnsafe(KeyFileError):
    """Others than the owner may read a secret that nothing else protects."""


class PassphraseNeeded(KeyFileError):
    """The key is sealed and no passphrase was given."""


class WrongPassphrase(KeyFileError):
    """The passphrase does not open the key."""


class _Argon2id(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the passphrase becomes a key. ``salt`` is hexadecimal."""

    operations: Annotated[int, Meta(ge=OPERATIONS_MIN, le=OPERATIONS_MAX)]
    memory_bytes: Annotated[int, Meta(ge=MEMORY_BYTES_MIN, le=MEMORY_BYTES_MAX)]
    salt: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]


class _SealedSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="protection", tag="passphrase"):
    """XSalsa20-Poly1305 over the seed and the digest of label and public key; all hexadecimal."""

    argon2id: _Argon2id
    nonce: Annotated[str, Meta(pattern=r"\A[0-9a-f]{48}\Z")]
    sealed: Annotated[str, Meta(pattern=r"\A[0-9a-f]{160}\Z")]


class _PlainSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="protection", tag="none"):
    """The seed itself, in hexadecimal."""

    seed: Hex32

    def __repr__(self) -> str:
        return "_PlainSecret(…)"


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag="fujie-key-1"):
    """The JSON of a key file. ``checksum`` is over everything else: it tells damage from a wrong passphrase."""

    label: Annotated[str, Meta(max_length=LABEL_CHARACTERS_MAX)]
    public_key: Hex32
    secret: _SealedSecret | _PlainSecret
    checksum: str = ""


class KeyFile:
    """A key file that was read: what stands in it in clear, and the way to the key."""

    def __init__(self, path: Path, content: _KeyFile) -> None:
        self._content = content
        self.path = path
        self.label = content.label
        self.public_key = bytes.fromhex(content.public_key)

    @property
    def protection(self) -> Literal["passphrase", "none"]:
        """How the secret is protected: by a passphrase, or by the rights of the file alone."""
        return "passphrase" if isinstance(self._content.secret, _SealedSecret) else "none"

    def unlock(self, passphrase: str | None = None) -> Signer:
        """Return the key, ready to sign.

        Raises, in order: :class:`PassphraseNeeded`, :class:`WrongPassphrase`, :class:`KeyFileDamaged` (the secret is of
        another public key or label than the file says).
        """
        secret = self._content.secret
        if isinstance(secret, _PlainSecret):
            signer = Signer(bytes.fromhex(secret.seed))
        else:
            if passphrase is None:
                raise PassphraseNeeded(f"The key in {self.path} is sealed.", "Give its passphrase.")
            opened = unseal(_sealed(secret), passphrase)
            if opened is None:
                raise WrongPassphrase(f"The passphrase does not open {self.path}.", "Try again; nothing was changed.")
            seed, check = opened[:-_CHECK_BYTES], opened[-_CHECK_BYTES:]
            if check != _binding(self.label, self.public_key):
                raise _damaged(self.path, "label or public key were changed")
            signer = Signer(seed)
        if signer.public_key != self.public_key:
            raise _damaged(self.path, "the secret belongs to another public key")
        return signer

    def __repr__(self) -> str:
        return f"KeyFile({str(self.path)!r}, {self.label!r}, {self.public_key.hex()})"


def create_key(path: Path, passphrase: str | None, *, label: str = "", cost: Cost = MODERATE) -> KeyFile:
    """Make a new key and write it to ``path``. ``passphrase`` None leaves it unprotected but for the rights of the file,
    which suits a demonstration and a validator that starts by itself. Raises as :func:`save_key`.
    """
    return save_key(path, new_seed(), passphrase, label=label, cost=cost)


def save_key(path: Path, seed: bytes, passphrase: str | None, *, label: str = "", cost: Cost = MODERATE) -> KeyFile:
    """Write a key file for ``seed`` (32 bytes) to ``path``, mode 0600, durable when this returns.

    Raises :class:`KeyFileExists` when something stands at ``path``, and :class:`OperationalError` when the folder cannot
    be written, or label or passphrase are too long or the passphrase empty.
    """
    content = _content(seed, passphrase, label, cost)
    try:
        write_atomically(path, _encode(content), mode=OWNER_ONLY, overwrite=False)
    except FileExistsError:
        raise KeyFileExists(
            f"{path} exists already.", "Choose another path; a key file is never overwritten."
        ) from None
    return KeyFile(path, content)


def load_key(path: Path) -> KeyFile:
    """Read a key file.

    Raises, in order: :class:`KeyFileMissing`, :class:`NotAKeyFile`, :class:`KeyFileDamaged` (its checksum does not fit),
    :class:`KeyFileUnsafe` (an unprotected key that group or others may read).
    """
    try:
        rights = path.stat().st_mode
        data = read_bounded(path, KEY_FILE_BYTES_MAX) if stat.S_ISREG(rights) else b""
    except OSError as error:
        raise KeyFileMissing(f"{path} cannot be read: {error.strerror}.", "Check the path and its rights.") from None
    except OperationalError as error:
        kind = KeyFileMissing if "longer than" not in error.what else NotAKeyFile
        raise kind(error.what, error.do) from None
    content = _parse(path, data)
    if _checksum(content) != content.checksum:
        raise _damaged(path, "its checksum does not fit")
    if isinstance(content.secret, _PlainSecret) and rights & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileUnsafe(
            f"{path} holds an unprotected key and may be read or written by others.",
            f"Run `chmod 600 {path}`; if others had access, make a new key.",
        )
    return KeyFile(path, content)


def change_passphrase(path: Path, old: str | None, new: str | None, *, cost: Cost = MODERATE) -> KeyFile:
    """Protect the key in ``path`` anew, in its place: atomically, so that either passphrase opens it after a crash.

    Raises as :func:`load_key` and :meth:`KeyFile.unlock`, and :class:`OperationalError` for a new passphrase that is
    empty or too long.
    """
    known = load_key(path)
    content = _content(known.unlock(old).seed, new, known.label, cost)
    write_atomically(path, _encode(content), mode=OWNER_ONLY)
    return KeyFile(path, content)


def _content(seed: bytes, passphrase: str | None, label: str, cost: Cost) -> _KeyFile:
    if len(label) > LABEL_CHARACTERS_MAX or not label.isprintable():
        raise OperationalError(
            "The label is too long or holds control characters.", f"Use up to {LABEL_CHARACTERS_MAX} characters."
        )
    if passphrase is not None and not 1 <= len(passphrase.encode(errors="replace")) <= PASSPHRASE_BYTES_MAX:
        raise OperationalError(
            "The passphrase is empty or too long.", f"Use 1 to {PASSPHRASE_BYTES_MAX} bytes, better a whole sentence."
        )
    public = public_key(seed)
    secret: _SealedSecret | _PlainSecret
    if passphrase is None:
        secret = _PlainSecret(seed.hex())
    else:
        salt, nonce = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_BYTES)
        sealed = seal(seed + _binding(label, public), passphrase, salt, nonce, cost)
        argon2id = _Argon2id(sealed.cost.operations, sealed.cost.memory_bytes, sealed.salt.hex())
        secret = _SealedSecret(argon2id, sealed.nonce.hex(), sealed.data.hex())
    content = _KeyFile(label, public.hex(), secret)
    return msgspec.structs.replace(content, checksum=_checksum(content))


def _encode(content: _KeyFile) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _parse(path: Path, data: bytes) -> _KeyFile:
    """Return the content of a key file. The parser's message is not passed on: it could quote a secret."""
    try:
        return msgspec.json.decode(data, type=_KeyFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if b'"fujie-key-1"' in data:
            raise _damaged(path, "a part of it is missing or out of bounds") from None
        raise NotAKeyFile(f"{path} is not a key file that this version reads.", "Check the path.") from None


def _checksum(content: _KeyFile) -> str:
    """Return the digest over everything but the checksum itself, in hexadecimal."""
    return sha256(msgspec.json.encode(msgspec.structs.replace(content, checksum=""))).hexdigest()


def _binding(label: str, public: bytes) -> bytes:
    """Return the 32 bytes by which the sealed secret knows its label and public key."""
    return sha256(b"fujie-key-1" + public + label.encode()).digest()


def _sealed(secret: _SealedSecret) -> Sealed:
    cost = Cost(secret.argon2id.operations, secret.argon2id.memory_bytes)
    return Sealed(cost, bytes.fromhex(secret.argon2id.salt), bytes.fromhex(secret.nonce), bytes.fromhex(secret.sealed))


def _damaged(path: Path, detail: str) -> KeyFileDamaged:
    return KeyFileDamaged(f"{path} is damaged: {detail}.", "Restore it from your backup.")
