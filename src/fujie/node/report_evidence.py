"""Telling the chain who broke its protocol: a file of evidence, given to the CometBFT of a node that runs here.

A file shows two signed blocks. Which of them is on the chain, the node's own CometBFT knows; the other one goes into its
evidence pool, which judges it, tells the other validators, and has a block carry it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from fujie.core.errors import OperationalError, VerificationError
from fujie.core.misbehaviour import Misbehaviour
from fujie.engine.cometbft.rpc import Rpc, Unanswered
from fujie.node.cometbft_home import comet_rpc
from fujie.node.folder import Folder
from fujie.node.known_files import EVIDENCE, kind_of
from fujie.node.network import holder
from fujie.proof.attack_report import light_client_attack
from fujie.proof.block_evidence import acts
from fujie.proof.evidence import ResultFile, decode_evidence, verify_evidence
from fujie.proof.header import header_hash
from fujie.proof.light_attack import check_evidence, decode_attack, is_attack
from fujie.proof.light_block import LightBlock, decode_light_block
from fujie.proof.trust import TrustRoot


class Reported(NamedTuple):
    """What CometBFT took: the hash of the evidence (32 bytes), and whom it accuses of what."""

    hash: bytes
    accused: tuple[Misbehaviour, ...]


def report(folder: Folder, data: bytes, trust: TrustRoot) -> Reported:
    """Give the evidence in the text of a file to the node of ``folder``. To do so again changes nothing.

    Raises :class:`VerificationError` for a file of another kind (``evidence-form``), that does not verify under
    ``trust``, or shows nothing for which CometBFT holds anybody to account (``evidence-blame``);
    :class:`OperationalError` where the node does not run or does not take it.
    """
    if (kind := kind_of(data)) not in EVIDENCE:
        raise VerificationError("evidence-form", f"the file is {kind}, and no evidence")
    branches = _branches(data, trust)
    if holder(folder) is None:
        raise OperationalError(f"No node runs on {folder.home}.", "Give it where a validator runs: --home FOLDER.")
    rpc = comet_rpc(folder)
    try:
        evidence = light_client_attack(*_off_the_chain(rpc, branches))
        try:
            taken = rpc.broadcast_evidence(evidence)
        except Unanswered as error:
            raise OperationalError(
                f"CometBFT does not take the evidence: {error.what}",
                "It is taken for two weeks after the act, of a block that the chain does not have.",
            ) from None
        return Reported(taken, acts(evidence))
    finally:
        rpc.close()


def _branches(data: bytes, trust: TrustRoot) -> list[list[LightBlock]]:
    """Return the two ways that a file shows, each ascending and from what both have on."""
    if is_attack(data):
        check_evidence(data, trust)
        attack = decode_attack(data)
        return [_blocks(attack.path[-1:]) + _blocks(each) for each in (attack.ours, attack.theirs)]
    verify_evidence(data, trust)
    fork = decode_evidence(data)
    if isinstance(fork, ResultFile):
        raise VerificationError(
            "evidence-blame", "it shows a signed result; for that CometBFT holds nobody to account, people must"
        )
    return [_blocks(fork.path[-1:]) + _blocks((text,)) for text in (fork.ours, fork.theirs)]


def _off_the_chain(rpc: Rpc, branches: Sequence[Sequence[LightBlock]]) -> tuple[LightBlock, LightBlock, LightBlock]:
    """Return the first block of the branches that the chain does not have, its own one there, and one below both."""
    for branch in branches:
        below: LightBlock | None = None
        for block in branch:
            own = _own(rpc, block.header.height)
            if header_hash(own.header) != header_hash(block.header):
                return block, own, below or _own(rpc, block.header.height - 1)
            below = own
    raise OperationalError(
        "The chain of this node has every block in the file.", "Give it to a node that follows the chain of the others."
    )


def _own(rpc: Rpc, height: int) -> LightBlock:
    try:
        header, commit = rpc.signed_header(height)
        return LightBlock(header, commit, rpc.validators(height))
    except Unanswered as error:
        raise OperationalError(
            f"CometBFT does not have block {height}: {error.what}", "Wait until the node has it, or ask another one."
        ) from None


def _blocks(texts: Sequence[str]) -> list[LightBlock]:
    return [decode_light_block(bytes.fromhex(text)) for text in texts]
