"""Founding a chain among organisations without a dealer, and joining one (docs/spec/08-files.md, "Network file").

    each organisation   make_request   keys in its own folder, a signed request to send around
    anybody             merge          the requests of all → one genesis: the same for everybody who merges the same files
    each organisation   join           found its own folder from it, with its own keys

No key leaves the folder that it was made in. That all have the same chain shows the chain id, which commits to the genesis:
people compare it by a channel that they trust.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fujie import __version__
from fujie.client.files import read_bounded
from fujie.core.encoding import Record, encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.policy import single
from fujie.core.units import AccountName
from fujie.engine.cometbft.binary import VERSION
from fujie.engine.cometbft.home import Peer, node_id
from fujie.engine.ports import host_of
from fujie.machine import genesis as genesis_form
from fujie.machine.genesis import ChainName, Genesis, chain_id, compose, founding_record
from fujie.modules.membership.genesis import (
    DEFAULTS,
    GenesisAccount,
    GenesisOrganisation,
    GenesisRule,
    MembershipGenesis,
)
from fujie.modules.membership.records import Role, Validator, Visibility
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.node.cometbft_file import (
    CometFile,
    check_address,
    has_cometbft,
    parse_peer,
    peer_texts,
    port_of,
    write_comet_file,
)
from fujie.node.config_keys import is_loopback
from fujie.node.folder import Folder, closed_to_others
from fujie.node.founding import found_from, is_founded
from fujie.node.handover import Handover, join_handed_over, read_handover
from fujie.node.join_request import JoinRequest, check_request, known_rules, sign_request
from fujie.node.keyring import AskPassphrase, ensure_key, passphrase_from_environment
from fujie.node.known_files import A_GENESIS, A_NETWORK, kind_of
from fujie.node.ledger import GENESIS_FILE_BYTES_MAX, currency_part, identity_part
from fujie.node.ports import is_here, require_other_port
from fujie.store.opening import StoreKind
from fujie.store.snapshot import Advance

NETWORK_FORMAT: Final = "fujie-network-1"
ORGANISATIONS_MAX: Final = 100
POWER: Final = 10  # of each founder: alike, and later ones may weigh less than a tenth
EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - said in the documentation; peers come from the network


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the founders agreed on besides who they are; whoever merges gives the same and gets the same chain.

    Every organisation governs. ``central_bank`` issues ``instrument``, ``root_authority`` allocates identifiers: a chain
    without one has no such room. ``threshold``: how many organisations carry a proposal.
    """

    network: ChainName
    threshold: Annotated[int, Meta(ge=1, le=ORGANISATIONS_MAX)]
    public: bool = False
    root_authority: AccountName | None = None
    central_bank: AccountName | None = None
    institutions: tuple[AccountName, ...] = ()
    auditors: tuple[AccountName, ...] = ()
    instrument: Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")] = "XTS"


class NetworkFile(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="format", tag=NETWORK_FORMAT
):
    """What a merge gives: the terms, the requests by organisation, and the genesis that follows from both."""

    chain_id: str
    terms: Terms
    requests: tuple[JoinRequest, ...]
    genesis: str


def make_request(
    folder: Folder,
    network: str,
    organisation: str,
    title: str,
    address: str,
    ask: AskPassphrase = passphrase_from_environment,
) -> JoinRequest:
    """Return a signed request for the organisation whose keys lie in ``folder``; those that are missing are made.

    Raises :class:`OperationalError` for a name or address that is none, one of this machine at which the node answers requests, or a
    key that does not open.
    """
    if is_here(
        host_of(check_address(address))
    ):  # else the port is that of a router before this machine, or of another machine
        require_other_port(folder, address)
    files = [
        ensure_key(folder.key_folders[0] / f"{organisation}.key", organisation),
        ensure_key(folder.validator_key, "validator"),
        ensure_key(folder.node_key, "node"),
    ]
    account, validator, node = (
        file.unlock(ask(file.path) if file.protection == "passphrase" else None) for file in files
    )
    request = JoinRequest(
        network=network,
        organisation=organisation,
        title=title,
        account_key=account.public_key.hex(),
        validator_key=validator.public_key.hex(),
        node_key=node.public_key.hex(),
        address=address,
        fujie=__version__,
        cometbft=VERSION,
        rules=known_rules(),
        created_ms=time.time_ns() // 1_000_000,
    )
    signed = sign_request(request, account, validator, node)
    check_request(signed, "the request")
    return signed


def merge(terms: Terms, requests: Iterable[JoinRequest]) -> Genesis:
    """Return the genesis that follows from terms and requests, whatever their order.

    Raises :class:`VerificationError` for a request that does not prove what it says, or ``join-merge`` when requests do not
    go together; :class:`OperationalError` for terms that do not fit them.
    """
    ordered = sorted(requests, key=lambda request: request.organisation)
    for request in ordered:
        check_request(request, f"the request of {request.organisation}")
    _check_together(terms, ordered)
    _check_terms(terms, [request.organisation for request in ordered])
    return compose(terms.network, max(request.created_ms for request in ordered), _parts(terms, ordered))


def encode_network(terms: Terms, requests: Iterable[JoinRequest], genesis: Genesis) -> bytes:
    """Return the text of a network file."""
    ordered = tuple(sorted(requests, key=lambda request: request.organisation))
    file = NetworkFile(chain_id=chain_id(genesis), terms=terms, requests=ordered, genesis=encode(genesis).hex())
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def is_network_file(path: Path) -> bool:
    """Tell whether a file is, or says that it is, one of :func:`encode_network`. Raises :class:`OperationalError`."""
    return kind_of(read_bounded(path, GENESIS_FILE_BYTES_MAX)) == A_NETWORK


def read_founding(path: Path) -> tuple[Genesis, tuple[JoinRequest, ...]]:
    """Return the genesis in a network file with its requests, or that in a file of `fujie genesis export` with none.

    Raises :class:`VerificationError` for a file of another kind (``join-form``), and when the genesis is not what the
    requests give: then whoever merged it put something else there, or merged it with another version of Fujie.
    """
    data = read_bounded(path, GENESIS_FILE_BYTES_MAX)
    kind = kind_of(data)
    if kind == A_GENESIS:
        return genesis_form.load(data), ()
    if kind != A_NETWORK:
        raise VerificationError("join-form", f"{path} is {kind}, and neither a network file nor a genesis")
    try:
        file = msgspec.json.decode(data, type=NetworkFile)
        genesis = genesis_form.load(bytes.fromhex(file.genesis))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise VerificationError("join-form", f"{path} is no network file: {error}") from None
    if chain_id(genesis) != file.chain_id or encode(merge(file.terms, file.requests)) != encode(genesis):
        raise VerificationError(
            "join-merge", f"the genesis in {path} is not the one that its terms and requests give; merge them yourself"
        )
    return genesis, file.requests


def join(
    folder: Folder,
    path: Path,
    store: StoreKind,
    *,
    peers: Sequence[str] = (),
    listen: str = "",
    replica: bool = False,
) -> Genesis:
    """Found the folder from a network file or a genesis, with the keys that lie in it.

    ``peers`` (``node id@host:port``) are added to those of the requests. Raises :class:`OperationalError` when the folder
    holds a chain, no peer is known, or its validator key is not among the founders' and it was not to be a replica.
    """
    genesis, requests = read_founding(path)
    founders = {member.public_key for member in founding_record(genesis, VALIDATORS_KEY).members}
    file = _comet_file(folder, chain_id(genesis), founders, requests, peers, listen, replica)
    with closed_to_others():
        write_comet_file(folder, file)
        found_from(folder, store, "plain", genesis)
    return genesis


def chain_of(path: Path) -> str:
    """Return the id of the chain that a network file, a genesis or a handover folder is of. Raises as :func:`join`."""
    return read_handover(path).file.chain_id if path.is_dir() else chain_id(read_founding(path)[0])


def join_grown(
    folder: Folder,
    place: Path,
    store: StoreKind,
    *,
    peers: Sequence[str] = (),
    listen: str = "",
    replica: bool = False,
    advance: Advance | None = None,
) -> Handover:
    """Found the folder from a handover folder (``node.handover``), with the keys that lie in it, as :func:`join` does.

    ``advance`` hears of rows that are verified. Raises as :func:`join` and ``node.handover.join_handed_over``.
    """
    handover = read_handover(place)
    successors = {bytes.fromhex(request.validator_key) for request in handover.requests}
    requests = handover.requests
    known = [handover.file.peer, *peers] if handover.file.peer else peers
    file = _comet_file(folder, handover.file.chain_id, successors, requests, known, listen, replica)
    with closed_to_others():
        join_handed_over(folder, handover, store, file, advance)
    return handover


def _comet_file(
    folder: Folder,
    chain: str,
    validators: Collection[bytes],
    requests: Sequence[JoinRequest],
    peers: Sequence[str],
    listen: str,
    replica: bool,
) -> CometFile:
    """Return what ``cometbft.json`` of a folder says that joins. Raises as :func:`join`."""
    if is_founded(folder):
        if has_cometbft(folder) and folder.trust().chain_id == chain:
            raise OperationalError(
                f"The data folder {folder.home} has joined {chain} already.",
                f"Start it: fujie --home {folder.home} up. To fetch the chain anew, from a snapshot of the others or whole: "
                f"fujie --home {folder.home} network recover --above HEIGHT [--state-sync URL --state-sync URL].",
            )
        raise OperationalError(
            f"The data folder {folder.home} holds a chain already.", "Choose another: --home FOLDER."
        )
    if not replica and (
        not folder.validator_key.exists() or ensure_key(folder.validator_key, "validator").public_key not in validators
    ):
        raise OperationalError(
            f"The validator key of {folder.home} is not among those that {chain} begins with.",
            "Name the folder in which `fujie network request` made the keys, or follow without a vote for now: --replica.",
        )
    ensure_key(folder.validator_key, "validator")
    file = comet_file_of(folder, requests, listen, peers)
    if not file.peers and (len(validators) > 1 or replica):
        raise OperationalError(
            "No other node of this network is known.",
            "Name one or more: --peer ID@host:port (`fujie network show` on it).",
        )
    return file


def comet_file_of(
    folder: Folder, requests: Sequence[JoinRequest], listen: str = "", peers: Sequence[str] = ()
) -> CometFile:
    """Return what ``cometbft.json`` of ``folder`` says: its peers are the others of ``requests``, and ``peers``.

    It waits at ``listen``, or where its own request says. Raises :class:`OperationalError` where neither is said, or it answers
    requests there.
    """
    own = ensure_key(folder.node_key, "node").public_key.hex()
    mine = next((request for request in requests if request.node_key == own), None)
    known = {request.peer for request in requests if request.node_key != own} | {parse_peer(text) for text in peers}
    ordered = sorted(known, key=lambda peer: (peer.address, peer.node_id))
    address = check_address(listen) if listen else _listen(mine)
    require_other_port(folder, address)
    name = mine.organisation if mine is not None else "replica"
    return CometFile(initial_height=1, moniker=name, listen=address, peers=peer_texts(ordered))


def own_peer(folder: Folder, address: str) -> Peer:
    """Return what others name as a peer to reach the node of ``folder`` at ``address``."""
    return Peer(node_id(ensure_key(folder.node_key, "node").public_key), check_address(address))


def _listen(request: JoinRequest | None) -> str:
    """Return where a node waits for its peers: at its port, on every address of the machine unless others are on it."""
    if request is None:
        raise OperationalError("It is not said where this node waits for its peers.", "Say it: --listen 0.0.0.0:26656.")
    return request.address if is_loopback(host_of(request.address)) else f"{EVERYWHERE}:{port_of(request.address)}"


def _check_together(terms: Terms, requests: Sequence[JoinRequest]) -> None:
    """Raise :class:`VerificationError` (``join-merge``) unless the requests are for one chain and of different founders."""
    if not 1 <= len(requests) <= ORGANISATIONS_MAX:
        raise VerificationError("join-merge", f"{len(requests)} requests are not 1 to {ORGANISATIONS_MAX}")
    for request in requests:
        if request.network != terms.network:
            raise VerificationError(
                "join-merge", f"{request.organisation} asks to join '{request.network}', not '{terms.network}'"
            )
        missing = [room for room in _rooms(terms) if request.rules.get(room, 0) < 1]
        if missing:
            raise VerificationError("join-merge", f"{request.organisation} lacks the rules of {', '.join(missing)}")
    check_distinct(requests)


def check_distinct(requests: Sequence[JoinRequest]) -> None:
    """Raise :class:`VerificationError` (``join-merge``) when two requests have a name, a key or an address in common."""
    keys = [key for request in requests for key in (request.account_key, request.validator_key, request.node_key)]
    for what, values in (
        ("organisation", [request.organisation for request in requests]),
        ("key", keys),
        ("address", [request.address for request in requests]),
    ):
        twice = [value for value, times in Counter(values).items() if times > 1]
        if twice:
            raise VerificationError("join-merge", f"two requests have the {what} {twice[0]}")


def _check_terms(terms: Terms, organisations: Sequence[str]) -> None:
    named = [terms.root_authority, terms.central_bank, *terms.institutions, *terms.auditors]
    strangers = sorted({name for name in named if name is not None and name not in organisations})
    if strangers:
        raise OperationalError(f"No request is of {', '.join(strangers)}.", f"There are {', '.join(organisations)}.")
    if terms.institutions and terms.central_bank is None:
        raise OperationalError("Institutions need a central bank.", "Name one: --central-bank ORGANISATION.")
    if terms.threshold > len(organisations):
        raise OperationalError(
            f"{terms.threshold} votes cannot carry a proposal among {len(organisations)} organisations.",
            "Choose a smaller --threshold.",
        )


def _rooms(terms: Terms) -> list[str]:
    rooms = {"membership": True, "identity": terms.root_authority, "currency": terms.central_bank}
    return sorted(room for room, wanted in rooms.items() if wanted)


def _parts(terms: Terms, requests: Sequence[JoinRequest]) -> list[tuple[str, Record]]:
    """Return what each room begins with. Salts follow from the requests, so that everybody gets the same."""
    membership = MembershipGenesis(
        msgspec.structs.replace(
            DEFAULTS,
            governance_threshold=terms.threshold,
            visibility=Visibility.PUBLIC if terms.public else Visibility.RESTRICTED,
        ),
        tuple(GenesisOrganisation(request.organisation, request.title) for request in requests),
        tuple(
            GenesisAccount(
                request.organisation,
                request.organisation,
                single(bytes.fromhex(request.account_key)),
                _roles(terms, request.organisation),
                0,
            )
            for request in requests
        ),
        tuple(
            Validator(bytes.fromhex(request.validator_key), POWER, request.organisation)
            for request in sorted(requests, key=lambda request: request.validator_key)
        ),
        tuple(GenesisRule(room, 1) for room in _rooms(terms)),
    )
    parts: list[tuple[str, Record]] = [("membership", membership)]
    if terms.root_authority is not None:
        parts.append(("identity", identity_part(terms.root_authority)))
    if terms.central_bank is not None:
        seed = sha256(b"".join(msgspec.json.encode(request) for request in requests)).digest()
        vaults = {name: sha256(b"fujie vault\n" + seed + name.encode()).digest() for name in sorted(terms.institutions)}
        parts.append(("currency", currency_part(terms.central_bank, terms.instrument, vaults)))
    return parts


def _roles(terms: Terms, organisation: str) -> tuple[Role, ...]:
    held = {
        Role.GOVERNOR: True,
        Role.ROOT_AUTHORITY: organisation == terms.root_authority,
        Role.CENTRAL_BANK: organisation == terms.central_bank,
        Role.INSTITUTION: organisation in terms.institutions,
        Role.AUDITOR: organisation in terms.auditors,
    }
    return tuple(sorted(role for role, holds in held.items() if holds))
