"""The keys of a data folder: found by name, or by the policy that has to be satisfied.

A command never asks whose key it needs: the ledger's proven answer says which public keys may act, and the key files say
which of them lie here. In the demonstration, registrars' keys are derived from its seed and stand in no file.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from fujie.client.files import OWNER_ONLY
from fujie.client.keys import KeyFile, create_key, load_key, save_key
from fujie.core.errors import OperationalError
from fujie.core.policy import KeyPolicy
from fujie.core.signing import SEED_BYTES, Signer, new_seed
from fujie.core.wording import count
from fujie.node.demo_world import DemoKeys
from fujie.node.folder import Folder, make_folder, read_file, write_file
from fujie.proof.checkpoint import CheckpointSigner, log_origin

PASSPHRASE_VARIABLE: Final = "FUJIE_PASSPHRASE"  # noqa: S105 - the name of the variable, not its content

AskPassphrase = Callable[[Path], str | None]


def passphrase_from_environment(_path: Path) -> str | None:
    """Return what FUJIE_PASSPHRASE holds, for programs and tests."""
    return os.environ.get(PASSPHRASE_VARIABLE)


class Keyring:
    """Opens key files of one folder. ``ask`` gives the passphrase of a sealed one."""

    def __init__(self, folder: Folder, ask: AskPassphrase = passphrase_from_environment) -> None:
        self._folder = folder
        self._ask = ask
        self._opened: dict[Path, Signer] = {}

    def named(self, name: str) -> Signer:
        """Return the key called ``name``. Raises :class:`OperationalError`, also without its passphrase."""
        return self.at(self._folder.key_file(name))

    def at(self, path: Path) -> Signer:
        """Return the key in the file at ``path``. Raises as :meth:`named`."""
        known = self._opened.get(path)
        if known is None:
            known = self._opened[path] = self._unlock(load_key(path))
        return known

    def files(self) -> Iterator[KeyFile]:
        """Yield every key file of the folder; what is sealed in them stays sealed."""
        for path in self._folder.key_files():
            yield load_key(path)

    def for_policy(self, policy: KeyPolicy, whose: str, prefix: str = "") -> list[Signer]:
        """Return as many keys as ``policy`` needs, of those that lie here.

        ``prefix`` is the identifier whose policy it is, where it is one's. Raises :class:`OperationalError` when too few
        of the keys of ``whose`` are in the folder.
        """
        found: list[Signer] = []
        if prefix and (demo := load_demo_keys(self._folder)) is not None:
            derived = demo.registrar(prefix)
            if derived.public_key in policy.keys:
                found.append(derived)
        for file in self.files():
            if len(found) >= policy.threshold:
                break
            if file.public_key in policy.keys and file.public_key not in {signer.public_key for signer in found}:
                found.append(self.at(file.path))
        if len(found) < policy.threshold:
            raise OperationalError(
                f"{whose} acts with {policy.threshold} of {count(len(policy.keys), 'key')}; here "
                f"{'is' if len(found) == 1 else 'are'} {len(found) or 'none'} of them.",
                f"Put the key files into {self._folder.key_folders[0]}, or name another folder with --home.",
            )
        return found

    def _unlock(self, file: KeyFile) -> Signer:
        return file.unlock(self._ask(file.path) if file.protection == "passphrase" else None)


def validator_signer(folder: Folder, ask: AskPassphrase = passphrase_from_environment) -> Signer:
    """Return the key that signs blocks. Raises :class:`OperationalError` when it is missing or sealed without passphrase."""
    file = load_key(folder.validator_key)
    return file.unlock(ask(file.path) if file.protection == "passphrase" else None)


def log_signer(folder: Folder, chain_id: str) -> CheckpointSigner:
    """Return what signs checkpoints of the log, making its key where there is none.

    It is a key of its own, never the validator's: it vouches for this node's word alone, and a process that answers
    strangers may hold it. Raises as :func:`log_key`.
    """
    return CheckpointSigner(log_origin(chain_id), log_key(folder))


def log_key(folder: Folder) -> Signer:
    """Return the key of the log, which has no passphrase, making it where there is none.

    Raises :class:`OperationalError` when the file does not open.
    """
    try:
        return ensure_key(folder.log_key, "log").unlock(None)
    except OperationalError as error:
        do = "Or move it away: the node makes another, whose /log/vkey those who read the log have to be given."
        raise OperationalError(error.what, f"{error.do} {do}") from error


def ensure_key(path: Path, label: str, seed: bytes | None = None) -> KeyFile:
    """Return the key file at ``path``, unprotected but for its rights, making it where it is missing.

    ``seed``: the key to write; a random one where none is given.
    """
    if path.exists():
        return load_key(path)
    make_folder(path.parent)
    return create_key(path, None, label=label) if seed is None else save_key(path, seed, None, label=label)


def load_demo_keys(folder: Folder) -> DemoKeys | None:
    """Return the keys of the demonstration, or None in a folder without one. Raises :class:`OperationalError`."""
    data = read_file(folder.demo_seed)
    if data is None:
        return None
    try:
        seed = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise OperationalError(
            f"{folder.demo_seed} is damaged.", "Restore it from a backup, or start afresh with another FUJIE_HOME."
        )
    return DemoKeys(seed)


def ensure_demo_keys(folder: Folder) -> DemoKeys:
    """Return the keys of the demonstration, drawing its seed where there is none."""
    known = load_demo_keys(folder)
    if known is not None:
        return known
    seed = new_seed()
    write_file(folder.demo_seed, seed.hex().encode() + b"\n", OWNER_ONLY)
    return DemoKeys(seed)
