"""Commits: more than two thirds of the voting power vouch for one header, whichever engine made the block.

Signatures are checked by the one pinned verifier (``core.signing``), which is stricter than CometBFT's ZIP-215 rules: a
signature that only CometBFT accepts does not count here, and does no harm as long as the others exceed two thirds.

Source: CometBFT 0.38 specification, "Light client", section "Verification"; ``VerifyCommitLight``.
"""

from collections.abc import Iterable

from fujie.core.errors import VerificationError
from fujie.core.signing import Signer, verify
from fujie.proof.header import NANOSECONDS_PER_MS, BlockID, Header, header_hash, header_problem
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash, validator_set_problem
from fujie.proof.vote import (
    ABSENT,
    BlockIDFlag,
    Commit,
    CommitSig,
    VoteTemplate,
    commit_problem,
)


def verify_commit(chain_id: str, validators: ValidatorSet, header: Header, commit: Commit) -> None:
    """Check that more than two thirds of ``validators`` signed ``header`` on chain ``chain_id``.

    In order, each with the name that the raised :class:`VerificationError` carries:

    1. ``header-form``: the header is well formed.
    2. ``header-chain``: it is of this chain.
    3. ``validator-set``: the set is well formed and the one that the header names.
    4. ``commit-form``: the commit is well formed.
    5. ``commit-height``: it is for the height of the header.
    6. ``header-hash``: it is for the hash of the header.
    7. ``commit-validator``: it has one entry per validator, each naming the validator of its place.
    8. ``commit-power``: entries for the block hold more than two thirds of the power, and ``commit-signature``: so do
       those whose signature is valid. A signature that is not valid only loses its own power.

    The caller still owes: why it trusts this validator set, and whether the header is recent enough.
    """
    if problem := header_problem(header):
        raise VerificationError("header-form", problem)
    if header.chain_id != chain_id:
        raise VerificationError("header-chain", f"header is of chain {header.chain_id!r}, not {chain_id!r}")
    if problem := validator_set_problem(validators):
        raise VerificationError("validator-set", problem)
    if validator_set_hash(validators) != header.validators_hash:
        raise VerificationError("validator-set", "not the validators that the header names")
    if problem := commit_problem(commit):
        raise VerificationError("commit-form", problem)
    if commit.height != header.height:
        raise VerificationError("commit-height", f"commit is for height {commit.height}, header is {header.height}")
    if commit.block_id.hash != header_hash(header):
        raise VerificationError("header-hash", "commit is for another header")
    voters = _voters_by_place(validators, commit)
    _require_power(chain_id, commit, voters, validators.total_power, 2, 3)


def verify_commit_trusting(
    chain_id: str, trusted: ValidatorSet, commit: Commit, numerator: int = 1, denominator: int = 3
) -> None:
    """Check that more than ``numerator/denominator`` of an older, trusted set signed ``commit``, to skip headers.

    Entries of validators who are not in ``trusted`` are passed over. Raises :class:`VerificationError` with the steps
    ``validator-set``, ``commit-form``, ``commit-validator`` (an address twice), ``commit-power``, ``commit-signature``.
    The caller still owes :func:`verify_commit` with the header's own set, and a fraction of at least one third.
    """
    if problem := validator_set_problem(trusted):
        raise VerificationError("validator-set", problem)
    if problem := commit_problem(commit):
        raise VerificationError("commit-form", problem)
    remaining = dict(zip(trusted.addresses, trusted.validators, strict=True))
    known = set(remaining)
    voters = []
    for index, entry in enumerate(commit.signatures):
        if entry.flag != BlockIDFlag.COMMIT or entry.validator_address not in known:
            continue
        validator = remaining.pop(entry.validator_address, None)
        if validator is None:
            raise VerificationError("commit-validator", f"entry {index} names a validator a second time")
        voters.append((validator, entry))
    _require_power(chain_id, commit, voters, trusted.total_power, numerator, denominator)


def decided_ms(chain_id: str, validators: ValidatorSet, commit: Commit) -> int:
    """Return when ``validators`` decided on a block, in ms: the median of the times of their votes, weighted by power.

    ``commit`` has passed :func:`verify_commit` with that set; only votes whose signature is valid count here, or whoever hands a
    commit on could add others. These hold more than two thirds of the power, so fewer than half of them are of validators who
    break the protocol, and the median lies between times of those who keep it. Nobody of these had a later block then. The
    header's own time is older by a block: it is this median of the block before (CometBFT 0.38 specification, "BFT Time").

    Raises :class:`VerificationError` (``commit-validator``, ``commit-signature``) only for a commit that does not verify.
    """
    template = VoteTemplate(chain_id, commit.height, commit.round, commit.block_id)
    votes = sorted(
        (entry.time_ns, validator.voting_power)
        for validator, entry in _voters_by_place(validators, commit)
        if verify(validator.public_key, template.sign_bytes(entry.time_ns), entry.signature)
    )
    remaining = sum(power for _, power in votes) // 2
    for time_ns, power in votes:
        if remaining <= power:
            return time_ns // NANOSECONDS_PER_MS
        remaining -= power
    raise VerificationError("commit-signature", "no vote for the block is valid")


def _voters_by_place(validators: ValidatorSet, commit: Commit) -> list[tuple[Validator, CommitSig]]:
    """Return who voted for the block, refusing entries that do not stand one by one for the validators of the set."""
    if len(commit.signatures) != len(validators.validators):
        detail = f"{len(commit.signatures)} entries for {len(validators.validators)} validators"
        raise VerificationError("commit-validator", detail)
    voters = []
    for index, entry in enumerate(commit.signatures):
        if entry.flag == BlockIDFlag.ABSENT:
            continue
        if entry.validator_address != validators.addresses[index]:
            raise VerificationError("commit-validator", f"entry {index} does not name the validator of its place")
        if entry.flag == BlockIDFlag.COMMIT:
            voters.append((validators.validators[index], entry))
    return voters


def _require_power(
    chain_id: str,
    commit: Commit,
    voters: list[tuple[Validator, CommitSig]],
    total_power: int,
    numerator: int,
    denominator: int,
) -> None:
    """Refuse unless valid signatures of ``voters`` hold more than the fraction of ``total_power``; stop when they do."""
    claimed = sum(validator.voting_power for validator, _ in voters)
    if claimed * denominator <= total_power * numerator:
        raise VerificationError(
            "commit-power", f"{claimed} of {total_power} is not more than {numerator}/{denominator}"
        )
    template = VoteTemplate(chain_id, commit.height, commit.round, commit.block_id)
    power = 0
    for validator, entry in voters:
        if verify(validator.public_key, template.sign_bytes(entry.time_ns), entry.signature):
            power += validator.voting_power
            if power * denominator > total_power * numerator:
                return
    raise VerificationError(
        "commit-signature", f"valid signatures hold {power} of {total_power}, not more than {numerator}/{denominator}"
    )


def sign_commit(
    chain_id: str,
    header: Header,
    block_id: BlockID,
    validators: ValidatorSet,
    seeds: Iterable[bytes],
    time_ms: int,
) -> Commit:
    """Return the commit for ``header`` in round 0, signed by the 32-byte ``seeds``; validators without one are absent.

    ``block_id`` is that of the whole block (``block.make_block_id``), ``time_ms`` the time of the votes. Raises
    ValueError when the block id is not of this header or a seed not of this set: the engine made a mistake.
    """
    if block_id.hash != header_hash(header) or header.chain_id != chain_id:
        raise ValueError("block id or chain id is not of this header")
    signers = {signer.public_key: signer for signer in map(Signer, seeds)}
    if not signers.keys() <= {validator.public_key for validator in validators.validators}:
        raise ValueError("a seed is not of this validator set")
    time_ns = time_ms * NANOSECONDS_PER_MS
    message = VoteTemplate(chain_id, header.height, 0, block_id).sign_bytes(time_ns)
    entries = []
    for validator, address in zip(validators.validators, validators.addresses, strict=True):
        signer = signers.get(validator.public_key)
        entries.append(
            ABSENT if signer is None else CommitSig(BlockIDFlag.COMMIT, address, time_ns, signer.sign(message))
        )
    return Commit(header.height, 0, block_id, tuple(entries))
