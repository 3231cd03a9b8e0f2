"""What an embedded chain hands to its validators: one folder, from which each of them founds its own node
(docs/spec/08-files.md, "Handover folder").

    handover/
      requests/*.join     who goes on, and how their nodes are reached
      chain.snapshot      the chain as its last embedded block left it
      genesis.json        what CometBFT begins with: the next height, the app hash, those who go on
      trust.json          the trust root of the chain, as it was from the first block on
      handover.json       written last: without it the folder is not complete

All of it follows from the chain and the requests, so it can be written again at any time; and nothing of it has to be
believed: the last embedded block, signed by the one validator until then, names its successors and the state. How its own node is
reached, which follows from nothing, that validator has signed.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from fujie.client.files import OWNER_ONLY, read_bounded
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.signing import Signer, verify
from fujie.engine.cometbft import home as comet
from fujie.engine.embedded import validator_set
from fujie.engine.stored_block import Get, block_at, light_block_at, note_pivot
from fujie.machine import genesis as genesis_form
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.node.cometbft_file import CometFile, PeerTextOrNothing, write_comet_file
from fujie.node.folder import SMALL_FILE_BYTES_MAX, Folder, make_folder, read_trust, write_file
from fujie.node.founding import trust_root
from fujie.node.join_request import JoinRequest, encode_request, read_request
from fujie.node.snapshot import load_snapshot, save_snapshot
from fujie.proof.header import Header
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot, encode_trust
from fujie.proof.validators import (
    ValidatorSet,
    decode_validator_set,
    encode_validator_set,
    validator_address,
    validator_set_hash,
)
from fujie.store.base import Store, WriteBatch
from fujie.store.layout import META_HANDED_OVER, Table, number_key
from fujie.store.opening import StoreKind
from fujie.store.reading import open_for_reading
from fujie.store.snapshot import Advance
from fujie.store.state_tree import unpack_leaf

FOLDER_NAME: Final = "handover"
REQUESTS: Final = "requests"
SNAPSHOT: Final = "chain.snapshot"
COMET_GENESIS: Final = "genesis.json"
TRUST: Final = "trust.json"
FILE: Final = "handover.json"


CONTEXT: Final = b"fujie-handover-1\n"  # before what is signed: no vote, transaction or checkpoint begins so


class HandoverFile(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    omit_defaults=True,  # what is signed is without signature
    tag_field="format",
    tag="fujie-handover-1",
):
    """The content of ``handover.json``: which chain, and the height of the last block of the embedded engine.

    ``peer`` is the node that hands over, where it goes on as a replica and can be reached (``node id@host:port``), or empty. No
    request names it, and the others let in those whom they know. ``signature``, where there is a peer: of the validator of that block
    over all of it, in hexadecimal.
    """

    chain_id: str
    height: Annotated[int, Meta(ge=1, le=2**53)]
    peer: PeerTextOrNothing = ""
    signature: Annotated[str, Meta(pattern=r"\A(?:[0-9a-f]{128})?\Z")] = ""


class Ended(NamedTuple):
    """How an embedded chain ended: the header of its last block, and those who go on, whom that header names."""

    header: Header
    successors: ValidatorSet


class Handover(NamedTuple):
    """A complete handover folder whose requests prove what they say."""

    place: Path
    file: HandoverFile
    requests: tuple[JoinRequest, ...]
    trust: TrustRoot


def ended_at(get: Get) -> Ended | None:
    """Return how the embedded chain in a store ended, by ``get`` of it; None where none was handed over.

    Raises :class:`OperationalError` when it was, and its last block is missing.
    """
    data = get(Table.META, META_HANDED_OVER)
    if data is None:
        return None
    height = int.from_bytes(data, "big")
    last = block_at(get, height)
    successors = None if last is None else get(Table.VALIDATORS, last.header.next_validators_hash)
    if last is None or successors is None:
        raise OperationalError(
            f"Block {height}, the last one before the validators went on, is missing in the store.",
            "Run `fujie check`, and restore a snapshot.",
        )
    return Ended(last.header, decode_validator_set(successors))


def ended_in(folder: Folder) -> Ended | None:
    """As :func:`ended_at`, of a data folder. Raises as ``store.reading.open_for_reading``."""
    store = open_for_reading(folder.require().store, folder.chain)
    try:
        return ended_at(store.get)
    finally:
        store.close()


def comet_genesis(ended: Ended) -> bytes:
    """Return the genesis file with which CometBFT goes on: the same at every node.

    Its first block has the time that stands here, which must come after that of the block before; one millisecond later,
    so that it follows from the chain.
    """
    header = ended.header
    moment = datetime.fromtimestamp((header.time_ms + 1) / 1_000, UTC)
    return comet.genesis_text(
        header.chain_id,
        f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1_000:03d}Z",
        header.height + 1,
        header.app_hash,
        ended.successors.validators,
    )


# Writing.


def handover_folder(folder: Folder) -> Path:
    """Return where a data folder keeps what it hands over."""
    return folder.home / FOLDER_NAME


def write_requests(place: Path, requests: Iterable[JoinRequest]) -> None:
    """Keep the requests in a handover folder, and no others. Raises :class:`OperationalError`."""
    wanted = {f"{request.organisation}.join": encode_request(request) for request in requests}
    make_folder(place / REQUESTS)
    for path in (place / REQUESTS).iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, data in wanted.items():
        write_file(place / REQUESTS / name, data)


def kept_requests(place: Path) -> tuple[JoinRequest, ...]:
    """Return the requests in a handover folder, by organisation. Raises as ``join_request.read_request``."""
    if not (place / REQUESTS).is_dir():
        return ()
    return tuple(read_request(path) for path in sorted((place / REQUESTS).glob("*.join")))


def kept_peer(place: Path) -> str:
    """Return the peer in a handover folder that was written before; empty where it was not, or names none."""
    try:
        return read_handover(place).file.peer
    except (OperationalError, VerificationError):
        return ""


def signed_bytes(file: HandoverFile) -> bytes:
    """Return what the validator of the last block signs: the file without signature, as JSON without white space, behind its context."""
    return CONTEXT + msgspec.json.encode(msgspec.structs.replace(file, signature=""))


def write_handover(
    folder: Folder,
    signer: Callable[[], Signer],
    *,
    peer: str = "",
    whole_log: bool = True,
    advance: Advance | None = None,
) -> Handover:
    """Complete the handover folder of ``folder``, whose chain was handed over, and return it.

    What an interrupted run has written is used again. ``peer``: as in ``HandoverFile``; ``signer`` is asked for the key of the
    validator where there is one. ``whole_log``: with every log
    entry, so that each node can prove the receipts of old transactions; without, those alone that a node must remember.
    ``advance`` hears of the rows of the snapshot. Raises :class:`OperationalError`.
    """
    place = handover_folder(folder)
    ended = ended_in(folder)
    if ended is None:
        raise OperationalError("This chain was not handed over.", "Run `fujie network grow`.")
    make_folder(place)
    for leftover in place.glob(".*"):  # files that were being written when a run was killed
        leftover.unlink()
    if not (place / SNAPSHOT).exists():
        save_snapshot(folder, place / SNAPSHOT, whole_log=whole_log, advance=advance)
    write_file(place / COMET_GENESIS, comet_genesis(ended))
    write_file(place / TRUST, encode_trust(folder.trust()))
    file = HandoverFile(chain_id=ended.header.chain_id, height=ended.header.height, peer=peer)
    if peer:
        file = msgspec.structs.replace(file, signature=_signature(file, signer(), ended.header))
    write_file(place / FILE, msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n")
    return read_handover(place)


def _signature(file: HandoverFile, signer: Signer, last: Header) -> str:
    if validator_address(signer.public_key) != last.proposer_address:
        raise OperationalError(
            f"The validator's key of this folder is not the one that signed block {last.height}: who joins would not believe it.",
            "Put that key back into keys/validator.key until this is done.",
        )
    return signer.sign(signed_bytes(file)).hex()


# Reading and founding.


def read_handover(place: Path) -> Handover:
    """Return what a handover folder says. Raises :class:`OperationalError`, and :class:`VerificationError` for a request that
    does not prove what it says, or ``handover-form`` for a file that is none.
    """
    if not (place / FILE).exists():
        raise OperationalError(
            f"{place} is no complete handover folder: it has no {FILE}.",
            "Ask whoever handed the chain over to run `fujie network grow` again, and copy the folder afterwards.",
        )
    try:
        file = msgspec.json.decode(read_bounded(place / FILE, SMALL_FILE_BYTES_MAX), type=HandoverFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise VerificationError("handover-form", f"{place / FILE} does not read: {error}") from None
    trust = read_trust(place / TRUST)
    if trust.chain_id != file.chain_id:
        raise VerificationError(
            "handover-form", f"{place / TRUST} is of {trust.chain_id}, and {FILE} of {file.chain_id}"
        )
    return Handover(place, file, kept_requests(place), trust)


def join_handed_over(
    folder: Folder,
    handover: Handover,
    store: StoreKind,
    comet_file: CometFile,
    advance: Advance | None = None,
) -> None:
    """Found ``folder`` from a handover folder, verified.

    ``comet_file`` is what ``cometbft.json`` is to say, but for the height. Raises as ``node.snapshot.load_snapshot``, and
    :class:`VerificationError`: ``handover-trust``: the trust root is not the one that the genesis gives;
    ``handover-signature``: a peer is named, and not by the validator of the last block; ``handover-validators``: those of the
    state, of the requests and of the last block are not the same;
    ``handover-snapshot``: the snapshot is damaged, or another; ``handover-genesis``: CometBFT's genesis file is another than the chain gives.
    """

    def accept(loaded: Store) -> None:
        ended = _check_loaded(loaded, handover)
        batch = WriteBatch()
        batch.put(Table.META, META_HANDED_OVER, number_key(ended.header.height))
        batch.put(Table.VALIDATORS, ended.header.next_validators_hash, encode_validator_set(ended.successors))
        note_pivot(batch, ended.header)
        loaded.commit(batch)
        go_on(folder, comet_file, ended)

    path = handover.place / SNAPSHOT
    try:
        load_snapshot(folder, path, handover.trust, store, accept=accept, advance=advance)
    except VerificationError as error:
        if not error.step.startswith("snapshot-"):
            raise
        raise VerificationError("handover-snapshot", f"{path}: {error.detail}") from error


def go_on(folder: Folder, file: CometFile, ended: Ended) -> None:
    """Make ``folder`` a node whose CometBFT goes on after the last embedded block. What is there already stays.

    The validator signs nothing that the embedded engine may have signed. ``cometbft.json`` comes last, with the height at which
    CometBFT begins: with it the folder is opened as a node among several.
    """
    home = folder.cometbft_home
    for place in (home / "config", home / "data"):
        make_folder(place)
    write_file(home / comet.GENESIS_FILE, comet_genesis(ended))
    state = home / comet.VALIDATOR_STATE_FILE
    if not state.exists():
        write_file(state, comet.validator_state_text(ended.header.height), OWNER_ONLY)
    write_comet_file(folder, msgspec.structs.replace(file, initial_height=ended.header.height + 1))


def _check_loaded(store: Store, handover: Handover) -> Ended:
    """Check what a loaded snapshot says of its validators against the other files; return how the chain ended."""
    genesis = store.get(Table.GENESIS, b"genesis")
    last = light_block_at(store.get, handover.file.height)
    row = store.get(Table.STATE, VALIDATORS_KEY.hash)
    if genesis is None or last is None or row is None:
        raise VerificationError("handover-form", f"the snapshot is not of block {handover.file.height}")
    founded = trust_root(genesis_form.load(genesis))
    if (founded.chain_id, founded.validators_hash) != (handover.trust.chain_id, handover.trust.validators_hash):
        raise VerificationError("handover-trust", "the trust root is not the one that the genesis of the chain gives")
    _require_signed(handover.file, last)
    successors = validator_set(VALIDATORS_KEY.codec.decode(unpack_leaf(row)[2]).members)
    named = {bytes.fromhex(request.validator_key) for request in handover.requests}
    if (
        validator_set_hash(successors) != last.header.next_validators_hash
        or {validator.public_key for validator in successors.validators} != named
    ):
        raise VerificationError(
            "handover-validators", "the last block, the state and the requests do not name the same validators"
        )
    ended = Ended(last.header, successors)
    if read_bounded(handover.place / COMET_GENESIS, SMALL_FILE_BYTES_MAX) != comet_genesis(ended):
        raise VerificationError("handover-genesis", f"{COMET_GENESIS} is not the one that the chain gives")
    return ended


def _require_signed(file: HandoverFile, last: LightBlock) -> None:
    """Raise :class:`VerificationError` for a peer that the validator of the last block did not name: it would be let in."""
    if not file.peer:
        return
    message, signature = signed_bytes(file), bytes.fromhex(file.signature)
    if not all(verify(validator.public_key, message, signature) for validator in last.validators.validators):
        raise VerificationError(
            "handover-signature",
            f"the validator of block {file.height} has not signed what {FILE} says of its node, {file.peer}",
        )
