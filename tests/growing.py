"""An embedded chain called ``town`` and four organisations that ask to go on with it, each with keys in a folder of its own."""

from collections.abc import Sequence
from pathlib import Path

from fujie.node.ceremony import make_request
from fujie.node.folder import Folder
from fujie.node.founding import found_chain
from fujie.node.join_request import JoinRequest
from fujie.node.keyring import ensure_key
from fujie.node.ledger import OWNER, owner_genesis
from fujie.store.opening import StoreKind

ORGANISATIONS = ("east", "mint", "north", "west")


def town(home: Path, kind: StoreKind = "sqlite") -> Folder:
    """Found the chain; its one governor is the owner, whose key lies in the folder."""
    folder = Folder(home)
    validator = ensure_key(folder.validator_key, "validator")
    owner = ensure_key(folder.key_folders[0] / f"{OWNER}.key", OWNER)
    found_chain(folder, kind, "plain", "town", owner_genesis(owner.public_key, validator.public_key))
    return folder


def request_of(folder: Folder, organisation: str, network: str = "town") -> JoinRequest:
    """Return a request of an organisation with the keys of ``folder``. Its address is one that nothing connects to here."""
    return make_request(folder, network, organisation, f"The {organisation}", f"{organisation}.example:26656")


def requests(place: Path, organisations: Sequence[str] = ORGANISATIONS) -> list[JoinRequest]:
    """Return a request of each organisation; their folders lie in ``place``."""
    return [request_of(Folder(place / name), name) for name in organisations]
