"""What a mirror keeps beside its chain: where it mirrors from, and the forks that it met."""

import logging

import msgspec

from fujie.client.http import refuse_userinfo
from fujie.core.errors import OperationalError
from fujie.engine.mirror_blocks import Fork
from fujie.node.folder import Folder, read_file, write_file
from fujie.proof.light_block import decode_light_block

log = logging.getLogger(__name__)


class MirrorFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag="fujie-mirror-1"):
    """What ``mirror.json`` says: the URL of the node that is mirrored."""

    source: str


class ForkFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag="fujie-fork-1"):
    """Evidence of a fork: two light blocks of one height, in hexadecimal, each signed by more than two thirds."""

    chain_id: str
    height: int
    ours: str
    theirs: str


def read_source(folder: Folder) -> str:
    """Return the URL that the folder mirrors.

    Raises :class:`OperationalError` when it mirrors nothing, or the URL has a password in it.
    """
    data = read_file(folder.mirror)
    if data is None:
        raise OperationalError(
            f"The folder {folder.home} mirrors nothing yet.", "Name a node: fujie mirror https://node.example."
        )
    try:
        source = msgspec.json.decode(data, type=MirrorFile).source
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise OperationalError(f"{folder.mirror} is damaged.", "Name the node again: fujie mirror URL.") from None
    refuse_userinfo(source)
    return source


def write_source(folder: Folder, url: str) -> None:
    """Keep the URL for the next start. Raises :class:`OperationalError` for one with a password in it."""
    refuse_userinfo(url)
    write_file(folder.mirror, msgspec.json.format(msgspec.json.encode(MirrorFile(url)), indent=2) + b"\n")


def keep_evidence(folder: Folder, fork: Fork) -> None:
    """Write both blocks of a fork into the folder. Where that fails the log has them: evidence is not to be lost."""
    theirs = decode_light_block(fork.theirs).commit.block_id.hash.hex()
    path = folder.evidence / f"fork-{fork.chain_id}-{fork.height}-{theirs[:16]}.json"
    file = ForkFile(fork.chain_id, fork.height, fork.ours.hex(), fork.theirs.hex())
    where = f"evidence in {path}"
    try:
        write_file(path, msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n")
    except OperationalError as error:
        where = f"{error} Ours {file.ours}, theirs {file.theirs}"
    log.error("a fork at height %d: the validators signed two blocks; %s", fork.height, where)
