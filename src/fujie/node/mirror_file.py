"""What a mirror keeps beside its chain: where it mirrors from, and the evidence against validators that it met."""

import logging
from collections.abc import Sequence

import msgspec

from fujie.client.http import refuse_userinfo
from fujie.core.errors import OperationalError
from fujie.node.folder import Folder, read_file, write_file
from fujie.proof.evidence import EvidenceFile, ForkFile, encode_evidence
from fujie.proof.light_block import decode_light_block

log = logging.getLogger(__name__)


class MirrorFile(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="format",
    tag="fujie-mirror-1",
):
    """What ``mirror.json`` says: the URL of the node that is mirrored, and those of its witnesses."""

    source: str
    witnesses: tuple[str, ...] = ()


def read_source(folder: Folder) -> str:
    """Return the URL that the folder mirrors. Raises as :func:`read_mirror`."""
    return read_mirror(folder).source


def read_mirror(folder: Folder) -> MirrorFile:
    """Return what the folder mirrors, and with whom it compares.

    Raises :class:`OperationalError` when it mirrors nothing, or the URL has a password in it.
    """
    data = read_file(folder.mirror)
    if data is None:
        raise OperationalError(
            f"The folder {folder.home} mirrors nothing yet.", "Name a node: fujie mirror https://node.example."
        )
    try:
        found = msgspec.json.decode(data, type=MirrorFile)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise OperationalError(f"{folder.mirror} is damaged.", "Name the node again: fujie mirror URL.") from None
    for url in (found.source, *found.witnesses):
        refuse_userinfo(url)
    return found


def write_source(folder: Folder, url: str, witnesses: Sequence[str] = ()) -> None:
    """Keep the URLs for the next start. Raises :class:`OperationalError` for one with a password in it."""
    for each in (url, *witnesses):
        refuse_userinfo(each)
    file = MirrorFile(url, tuple(witnesses))
    write_file(folder.mirror, msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n")


def keep_evidence(folder: Folder, file: EvidenceFile) -> None:
    """Write evidence into the folder. Where that fails the log has what was signed: it is not to be lost."""
    if isinstance(file, ForkFile):
        kind, what, signed = "fork", "the validators signed two blocks", (file.ours, file.theirs)
    else:
        kind, what, signed = "result", "the validators signed another result of a block", (file.block, file.next)
    last = decode_light_block(bytes.fromhex(signed[1])).commit.block_id.hash.hex()
    path = folder.evidence / f"{kind}-{file.chain_id}-{file.height}-{last[:16]}.json"
    where = f"evidence in {path}"
    try:
        write_file(path, encode_evidence(file))
    except OperationalError as error:
        where = f"{error} They are {signed[0]} and {signed[1]}"
    log.error("%s at height %d: %s; %s", kind, file.height, what, where)
