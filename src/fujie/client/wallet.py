"""Wallet files: which wallet on which chain, and where its key lies (docs/spec/08-files.md, "Wallet file").

They hold no secret, but whom they name is private.
"""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fujie.client.files import OWNER_ONLY, read_bounded, write_atomically
from fujie.client.keys import KeyFile, load_key
from fujie.core.errors import OperationalError
from fujie.core.transaction import ChainId

WALLET_FILE_BYTES_MAX: Final = 4_096


class WalletFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="format", tag="fujie-wallet-1"
):
    """The JSON of a wallet file.

    ``name`` is for people, ``wallet`` the 16-byte id in hexadecimal, ``instrument`` the money it was opened for,
    ``key_file`` a path, relative ones from the folder of the wallet file.
    """

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    chain_id: ChainId
    wallet: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    instrument: Annotated[str, Meta(min_length=3, max_length=24)]
    key_file: Annotated[str, Meta(min_length=1, max_length=1_024)]

    @property
    def wallet_id(self) -> bytes:
        """The 16-byte id of the wallet."""
        return bytes.fromhex(self.wallet)

    @property
    def reader(self) -> str:
        """The name under which the holder reads."""
        return f"wallet/{self.wallet}"


def save_wallet(path: Path, wallet: WalletFile, *, overwrite: bool = False) -> None:
    """Write a wallet file, whole or not at all. Raises :class:`OperationalError`, also when ``path`` is taken."""
    text = msgspec.json.format(msgspec.json.encode(wallet), indent=2) + b"\n"
    try:
        write_atomically(path, text, mode=OWNER_ONLY, overwrite=overwrite)
    except FileExistsError:
        raise OperationalError(f"{path} exists already.", "Choose another name for the wallet.") from None


def load_wallet(path: Path) -> WalletFile:
    """Read a wallet file. Raises :class:`OperationalError` when it is missing or none."""
    data = read_bounded(path, WALLET_FILE_BYTES_MAX)
    try:
        return msgspec.json.decode(data, type=WalletFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise OperationalError(f"{path} is not a wallet file: {error}.", "Check the path, or write it anew.") from None


def load_wallet_key(path: Path, wallet: WalletFile) -> KeyFile:
    """Read the key file of the wallet file at ``path``. Raises as ``keys.load_key``."""
    return load_key(path.parent / wallet.key_file)
