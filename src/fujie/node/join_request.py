"""A join request: what an organisation says of itself, and of its node, to found a chain with others or to join one
(docs/spec/08-files.md, "Join request").

It holds public keys alone. Each of them has signed the whole of it: nobody can ask to join with a key that is another's.
"""

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fujie.client.files import read_bounded
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.signing import Signer, is_sound_public_key, verify
from fujie.core.units import AccountName, ShortText
from fujie.engine.cometbft.home import Peer, node_id
from fujie.machine.genesis import ChainName
from fujie.machine.schedule import SCHEDULE
from fujie.node.cometbft_file import Address, check_address
from fujie.node.known_files import A_REQUEST, kind_of
from fujie.proof.trust import Hex32

REQUEST_BYTES_MAX: Final = 16_384
CONTEXT: Final = b"fujie-join-1\n"  # before what is signed: no vote, transaction or checkpoint begins so

Hex64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{128}\Z")]


class Signatures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The proof that each key is held by whoever asks: its signature over the request, in hexadecimal."""

    account: Hex64
    validator: Hex64
    node: Hex64


class JoinRequest(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    omit_defaults=True,  # what is signed is without signatures
    tag_field="format",
    tag="fujie-join-1",
):
    """The content of a request. ``rules``: by room, the newest version of its rules that the organisation's program has."""

    network: ChainName
    organisation: AccountName
    title: ShortText
    account_key: Hex32
    validator_key: Hex32
    node_key: Hex32
    address: Address
    fujie: Annotated[str, Meta(max_length=40)]
    cometbft: Annotated[str, Meta(max_length=40)]
    rules: Annotated[dict[str, Annotated[int, Meta(ge=1, le=2**31)]], Meta(max_length=64)]
    created_ms: Annotated[int, Meta(ge=0, le=2**53)]
    signatures: Signatures | None = None

    @property
    def peer(self) -> Peer:
        """How the other nodes reach this one."""
        return Peer(node_id(bytes.fromhex(self.node_key)), self.address)


def known_rules() -> dict[str, int]:
    """Return the newest version of each room's rules that this installation has."""
    return {room: max(versions) for room, versions in sorted(SCHEDULE.rooms.items())}


def sign_request(request: JoinRequest, account: Signer, validator: Signer, node: Signer) -> JoinRequest:
    """Return the request with the signatures of its three keys."""
    message = signed_bytes(request)
    signatures = Signatures(*(signer.sign(message).hex() for signer in (account, validator, node)))
    return msgspec.structs.replace(request, signatures=signatures)


def signed_bytes(request: JoinRequest) -> bytes:
    """Return what the three keys sign: the request without signatures, as JSON without white space, behind its context."""
    return CONTEXT + msgspec.json.encode(msgspec.structs.replace(request, signatures=None))


def encode_request(request: JoinRequest) -> bytes:
    """Return the text of a request file."""
    return msgspec.json.format(msgspec.json.encode(request), indent=2) + b"\n"


def decode_request(data: bytes, name: str) -> JoinRequest:
    """Return the request in ``data``, which ``name`` names to people, when it proves what it says.

    Raises :class:`VerificationError`, with the steps: ``join-form``: it is no request; ``join-key``: a key is not a point of
    the prime-order group, or stands for two purposes; ``join-signature``: a key has not signed it.
    """
    try:
        request = msgspec.json.decode(data, type=JoinRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise VerificationError("join-form", _no_request(data, name, error)) from None
    check_request(request, name)
    return request


def _no_request(data: bytes, name: str, error: Exception) -> str:
    """Return why a text is no join request: it is something else, or does not say what one says."""
    kind = kind_of(data)
    return f"{name} is {kind}, and no join request" if kind != A_REQUEST else f"{name} is no join request: {error}"


def check_request(request: JoinRequest, name: str) -> None:
    """Raise as :func:`decode_request` unless ``request`` proves what it says."""
    keys = {
        "account": bytes.fromhex(request.account_key),
        "validator": bytes.fromhex(request.validator_key),
        "node": bytes.fromhex(request.node_key),
    }
    for purpose, key in keys.items():
        if not is_sound_public_key(key):
            raise VerificationError("join-key", f"in {name}, the {purpose} key is not a point of the prime-order group")
    if len(set(keys.values())) < len(keys):
        raise VerificationError("join-key", f"in {name}, one key stands for two purposes")
    try:
        check_address(request.address)
    except OperationalError as error:
        raise VerificationError("join-form", f"in {name}: {error.what}") from None
    message = signed_bytes(request)
    for purpose, key in keys.items():
        signature = "" if request.signatures is None else str(getattr(request.signatures, purpose))
        if not verify(key, message, bytes.fromhex(signature)):
            raise VerificationError("join-signature", f"in {name}, the {purpose} key has not signed what stands there")


def read_request(path: Path) -> JoinRequest:
    """Return the request in a file. Raises as :func:`decode_request`, and :class:`OperationalError`."""
    return decode_request(read_bounded(path, REQUEST_BYTES_MAX), str(path))
