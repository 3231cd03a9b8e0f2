"""A data folder: where everything of one node lies (docs/spec/08-files.md, "Data folder").

    .fujie/
      node.json                 what the folder is: format, kind of store, which version founded it
      trust.json                the pinned trust root, written when the chain was founded
      chain/                    the store, and the lock that one process holds
      mirror.json, evidence/    of a mirror: what it mirrors, and evidence against validators
      cometbft.json, cometbft/  of a node among several validators: what it is told, and CometBFT's own folder
      snapshots/                of such a node: what nodes that come later may begin from
      state-sync/, chain.fetched/   of such a node: what it fetches to begin from; gone once it has begun
      keys/validator.key        signs blocks; 0600
      keys/node.key             of a node among several: by it its peers know it; 0600
      keys/log.key              signs checkpoints of the log; 0600
      keys/*.key  wallets/*.json    keys and wallets made here with `fujie key new` and `fujie wallet new`
      demo/seed, demo/keys, demo/wallets    the parties of the demonstration
      log/node.log              rotated; holds no key and no payment

The folder is made for its user alone (0700), and so is what lies in it: a chain may hold what is not for everybody. Small
files are replaced whole (write, fsync, rename), so a crash leaves the old or the new one.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from fujie import __version__
from fujie.client.files import read_bounded, write_atomically
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.wording import nearest, quoted
from fujie.proof.trust import TrustRoot, decode_trust, encode_trust
from fujie.store.opening import StoreKind

FOLDER_FORMAT: Final = 1
HOME_VARIABLE: Final = "FUJIE_HOME"
HOME_DEFAULT: Final = ".fujie"
PORT_VARIABLE: Final = "FUJIE_PORT"
PORT_DEFAULT: Final = 8156
SMALL_FILE_BYTES_MAX: Final = 1_048_576

World = Literal["demo", "plain", "mirror"]

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``node.json`` says. ``world``: founded with the demonstration's members, or plain, or a mirror of another."""

    format: int
    store: StoreKind
    world: World
    created_by: str


class Folder:
    """Paths of a data folder and the small files in it. Creates nothing by itself."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.chain = home / "chain"
        self.validator_key = home / "keys" / "validator.key"
        self.log_key = home / "keys" / "log.key"
        self.mirror = home / "mirror.json"
        self.evidence = home / "evidence"
        self.cometbft = home / "cometbft.json"
        self.cometbft_home = home / "cometbft"
        self.snapshots = home / "snapshots"
        self.state_sync = home / "state-sync"
        self.fetched = home / "chain.fetched"
        self.node_key = home / "keys" / "node.key"
        self.log = home / "log" / "node.log"
        self.demo_seed = home / "demo" / "seed"
        self._description = home / "node.json"
        self._trust = home / "trust.json"

    @property
    def key_folders(self) -> tuple[Path, Path]:
        """Where key files are looked for: those made here, then those of the demonstration."""
        return self.home / "keys", self.home / "demo" / "keys"

    @property
    def wallet_folders(self) -> tuple[Path, Path]:
        """Where wallet profiles are looked for: those made here, then those of the demonstration."""
        return self.home / "wallets", self.home / "demo" / "wallets"

    @property
    def trust_path(self) -> Path:
        """The pinned trust root."""
        return self._trust

    def describe(self) -> Description | None:
        """Return what the folder is, or None where nothing was founded.

        Raises :class:`OperationalError` for a description that does not read, or of another format.
        """
        data = read_file(self._description)
        if data is None:
            return None
        try:
            found = msgspec.json.decode(data, type=Description)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise OperationalError(
                f"{self._description} is not the description of a data folder.",
                "Restore it from a backup, or give another folder with FUJIE_HOME.",
            ) from None
        if found.format != FOLDER_FORMAT:
            raise OperationalError(
                f"The data folder {self.home} has format {found.format}; this version of Fujie reads {FOLDER_FORMAT}.",
                f"Open it with the version that founded it, {found.created_by}.",
            )
        return found

    def require(self) -> Description:
        """Return what the folder is. Raises :class:`OperationalError` where nothing was founded."""
        found = self.describe()
        if found is None:
            raise OperationalError(
                f"There is no data folder at {self.home}.",
                "Start one with `fujie up` (demonstration) or `fujie init` (empty chain), or set FUJIE_HOME.",
            )
        return found

    def write_description(self, store: StoreKind, world: World) -> None:
        """Write what the folder is."""
        description = Description(format=FOLDER_FORMAT, store=store, world=world, created_by=__version__)
        write_file(self._description, msgspec.json.format(msgspec.json.encode(description), indent=2) + b"\n")

    def trust(self) -> TrustRoot:
        """Return the pinned trust root. Raises :class:`OperationalError` without one, else as :func:`read_trust`."""
        if self._trust.exists():
            return read_trust(self._trust)
        do = (
            "Get trust.json from whoever founded the chain, in a way that you trust (on the node, `fujie status --offline` "
            "says where it lies), and name it: --trust FILE. Or start a node of your own with `fujie up`."
        )
        if self._description.exists():  # it was there: nothing that runs now can say what to trust
            do = "Restore the file that was written when this chain was founded, or get it from another who holds it."
        raise OperationalError(f"There is no trust root at {self._trust}.", do)

    def write_trust(self, root: TrustRoot) -> None:
        """Pin the trust root."""
        write_file(self._trust, encode_trust(root))

    def key_file(self, name: str) -> Path:
        """Return the key file called ``name``. Raises :class:`OperationalError` when there is none."""
        return _find(self.key_folders, check_name(name), ".key", "key", "`fujie key list` lists them")

    def wallet_file(self, name: str) -> Path:
        """Return the wallet profile called ``name``. Raises :class:`OperationalError` when there is none."""
        return _find(self.wallet_folders, check_name(name), ".json", "wallet", "`fujie wallet list` lists them")

    def key_files(self) -> Iterator[Path]:
        """Yield every key file, by folder and name."""
        return _all(self.key_folders, ".key")

    def wallet_files(self) -> Iterator[Path]:
        """Yield every wallet profile, by folder and name."""
        return _all(self.wallet_folders, ".json")


def exchange_chain(folder: Folder) -> None:
    """Put a chain that was fetched whole (``node.state_sync``) into its place, for good.

    Whoever asks whether there is a chain does this first: a crash may have come between the two steps.
    """
    if folder.fetched.exists():
        shutil.rmtree(folder.chain, ignore_errors=True)
        folder.fetched.rename(folder.chain)
        sync_folder(folder.home)


def sync_folder(path: Path) -> None:
    """Have the names in a folder on disk. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def home_folder(given: Path | None = None) -> Folder:
    """Return the folder that was ``given``, or that FUJIE_HOME names, or ``.fujie`` in the current directory."""
    return Folder(given or Path(os.environ.get(HOME_VARIABLE) or HOME_DEFAULT))


def read_trust(path: Path) -> TrustRoot:
    """Return the trust root in a file. Raises :class:`OperationalError`, and :class:`VerificationError` that names the file."""
    data = read_bounded(path, SMALL_FILE_BYTES_MAX)
    try:
        return decode_trust(data)
    except VerificationError as error:
        raise VerificationError(error.step, f"{path} is {error.detail}") from None


def check_name(name: str) -> str:
    """Return ``name`` if it can name a key or wallet file: lower-case letters, digits and inner hyphens."""
    if _NAME.fullmatch(name) is None:
        raise OperationalError(
            f"{quoted(name, 64)} is not a name for a key or wallet.",
            "Use lower-case letters, digits and inner hyphens.",
        )
    return name


def read_file(path: Path) -> bytes | None:
    """Return what is in a small file, or None when it does not exist. Raises :class:`OperationalError`."""
    return read_bounded(path, SMALL_FILE_BYTES_MAX) if path.exists() else None


def write_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a small file durably, whole or not at all, making its folder. Raises :class:`OperationalError`."""
    make_folder(path.parent)
    write_atomically(path, data, mode=mode)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, closed to others: what a chain holds may be for few.

    One that exists keeps the rights that it has.
    """
    missing = [path]
    try:
        while not missing[-1].parent.exists():
            missing.append(missing[-1].parent)
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise OperationalError(
            f"The folder {path} cannot be made: {error.strerror}.", "Check the path and who may write to it."
        ) from error


@contextlib.contextmanager
def closed_to_others() -> Iterator[None]:
    """Let what this process and those that it starts make meanwhile be for their user alone, as a store or a log is."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def require_folder(home: Path) -> None:
    """Raise :class:`OperationalError` where there is no folder at all; one that only a client uses has no chain."""
    if not home.is_dir():
        raise OperationalError(
            f"There is no data folder at {home}.", "Start a node with `fujie up`, or set FUJIE_HOME to where one lies."
        )


def _find(folders: tuple[Path, ...], name: str, suffix: str, what: str, hint: str) -> Path:
    for folder in folders:
        path = folder / f"{name}{suffix}"
        if path.is_file():
            return path
    home = folders[0].parent
    require_folder(home)
    known = [path.stem for path in _all(folders, suffix)]
    raise OperationalError(f"There is no {what} called {name} in {home}.{nearest(name, known)}", f"{hint}.")


def _all(folders: tuple[Path, ...], suffix: str) -> Iterator[Path]:
    for folder in folders:
        if folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if path.suffix == suffix and path.name[0] != ".")
