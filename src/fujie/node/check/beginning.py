"""Where a folder begins that was loaded: whether the trust root vouches for those who signed its first block."""

from collections.abc import Sequence

from fujie.core.errors import OperationalError, VerificationError
from fujie.engine.pivots import kept_changes
from fujie.engine.stored_block import light_block_at, pivot_in
from fujie.node.check.report import Report
from fujie.proof.changes import verify_changes, walk
from fujie.proof.header import header_hash
from fujie.proof.light import verify_path, verify_root
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot
from fujie.store.base import ReadOnlyStore


def check_beginning(
    store: ReadOnlyStore, trust: TrustRoot, height: int, light: Sequence[LightBlock], report: Report
) -> None:
    """Check the way from ``trust`` to the block at ``height``, the first one of ``store``; findings go into the report.

    It is shown by the light blocks that a snapshot brought along, those at which validators changed; or by ``light``, headers that
    a light client has believed, of which none is believed here. Whether the block itself is signed is looked at elsewhere.
    """
    try:
        changes = kept_changes(store)
        first = light_block_at(store.get, height)
        if first is None:
            return  # that is a finding of its own
        found = verify_changes(trust.chain_id, [*changes, first]) if changes else {}
    except (OperationalError, VerificationError) as error:
        report.find("changes-lead-on", "meta/change", str(error))
        return
    for block in changes:
        header = block.header
        pivot = pivot_in(store.get, header.validators_hash)
        if header.validators_hash != header.next_validators_hash and (pivot is None or pivot < header.height):
            report.find("changes-lead-on", f"meta/pivot/{header.validators_hash.hex()}", "it leads nowhere")
    way = walk(bytes.fromhex(trust.validators_hash), first.header.validators_hash, found.get)
    problem = "nothing here leads from the validators of the trust root to those who signed it"
    for path in (way, light):
        if path is None:
            continue
        try:
            if _leads_to(first, trust, path):
                return
        except VerificationError as error:
            problem = str(error)
    report.find("begins-under-the-root", f"blocks/{height}", problem)


def _leads_to(first: LightBlock, trust: TrustRoot, path: Sequence[LightBlock]) -> bool:
    """Tell whether ``path`` leads from ``trust`` to the validators of ``first``. Raises :class:`VerificationError`."""
    way = [block for block in path if block.header.height <= first.header.height]
    if not way:
        return first.header.validators_hash.hex() == trust.validators_hash
    verify_root(trust, way[0])
    verify_path(way)
    last, header = way[-1].header, first.header
    if last.height == header.height:
        return header_hash(last) == header_hash(header)
    adjacent = last.height + 1 == header.height
    return header.validators_hash == (last.next_validators_hash if adjacent else last.validators_hash)
