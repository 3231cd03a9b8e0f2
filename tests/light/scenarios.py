"""A model of chains that validators attack: seeded steps of a light client, each with the verdict an oracle gives.

The model is that of the public model-based tests: validators of equal power come and go at every height, some sign and
some do not, hashes, times and sets are those of the chain or are not. The oracle counts names in the model and never
looks at a hash or a signature; blocks are then made of it in earnest.
"""

import random
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from fujie.core.signing import Signer
from fujie.proof.header import NANOSECONDS_PER_MS, NIL_BLOCK_ID, BlockID, PartSetHeader, header_hash, make_header
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import validator_set_hash
from fujie.proof.vote import ABSENT, BlockIDFlag, Commit, CommitSig, VoteTemplate
from tests.light import mbt
from tests.light.embedded_chain import seed_of, set_of
from tests.light.tampering import changed

CHAIN_ID: Final = "model-test"
START_MS: Final = 1_700_000_000_000
SUCCESS, NOT_ENOUGH_TRUST, INVALID = "SUCCESS", "NOT_ENOUGH_TRUST", "INVALID"
FAULTS: Final = ("", "", "", "hash", "set", "chain", "entries", "forged")


@dataclass(frozen=True)
class Modelled:
    """One light block of the model: names and powers of its validators, who signed, and what is wrong with it."""

    height: int
    time_ms: int
    powers: dict[int, int]
    announced: dict[int, int]
    signers: frozenset[int]
    fault: str = ""


@dataclass
class Scenario:
    """A believed block, and steps: each a time, a block, and what is to be said of it after the ones before."""

    seed: int
    period_ms: int
    drift_ms: int
    level: Fraction
    by_announced: bool  # whether trust is counted over the announced validators, or over those of the believed header
    trusted: Modelled
    steps: list[tuple[int, Modelled, str]] = field(default_factory=list)


def judge(scenario: Scenario, trusted: Modelled, block: Modelled, now_ms: int) -> str:
    """The oracle: what a light client is to say, counted in the model."""
    total = sum(block.powers.values())
    # Who is said to sign and is not of the set does not sign; a forged commit has no valid signature.
    signed = (
        {} if block.fault == "forged" else {name: block.powers[name] for name in block.signers if name in block.powers}
    )
    good = (
        now_ms < trusted.time_ms + scenario.period_ms
        and trusted.height < block.height
        and trusted.time_ms < block.time_ms < now_ms + scenario.drift_ms
        and block.fault in ("", "forged")
        and 3 * sum(signed.values()) > 2 * total
    )
    if good and block.height == trusted.height + 1:
        good = block.powers == trusted.announced
    if not good:
        return INVALID
    if block.height == trusted.height + 1:
        return SUCCESS
    counted = trusted.announced if scenario.by_announced else trusted.powers
    believed = sum(power for name, power in counted.items() if name in signed)
    return SUCCESS if believed > scenario.level * sum(counted.values()) else NOT_ENOUGH_TRUST


def make_scenario(seed: int, *, published: bool = False) -> Scenario:
    """Draw a scenario: a chain, then blocks of it in any order, many of them as a faulty node would tell them.

    ``published``: on the terms of the public files, which have one trust level and one drift of clocks.
    """
    rng = random.Random(seed)
    names = rng.randint(3, 10)
    heights = rng.randint(3, 9)
    sets = _sets(rng, names, heights + 1)
    interval = rng.choice((1, 1_000, 60_000))
    chain = [
        Modelled(h, START_MS + h * interval, sets[h - 1], sets[h], _signers(rng, sets[h - 1], names))
        for h in range(1, heights + 1)
    ]
    scenario = Scenario(
        seed,
        rng.choice((interval * 3, interval * 100)),
        rng.choice((1, 1_000, 10_000)),
        rng.choice((Fraction(1, 3), Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(1))),
        published,
        changed_model(chain[0], signers=frozenset(chain[0].powers)),
    )
    if published:
        scenario.drift_ms, scenario.level = mbt.CLOCK_DRIFT_MS, Fraction(1, 3)
    trusted = scenario.trusted
    for _ in range(rng.randint(2, 6)):
        block = _told(rng, rng.choice(chain), chain)
        now_ms = rng.choice(
            (
                block.time_ms + 1,
                block.time_ms - scenario.drift_ms,
                trusted.time_ms + scenario.period_ms,
                chain[-1].time_ms,
            )
        ) + rng.choice((-1, 0, 0, 1))
        verdict = judge(scenario, trusted, block, now_ms)
        scenario.steps.append((now_ms, block, verdict))
        if verdict == SUCCESS:
            trusted = block
    return scenario


def changed_model(block: Modelled, **fields: object) -> Modelled:
    """A modelled block with some fields replaced."""
    return Modelled(**{**block.__dict__, **fields})


def _sets(rng: random.Random, names: int, count: int) -> list[dict[int, int]]:
    everybody = range(1, names + 1)
    equal = rng.random() < 0.5
    current = set(rng.sample(everybody, rng.randint(1, names)))
    sets = []
    for _ in range(count):
        sets.append({name: 50 if equal else rng.randint(1, 60) for name in sorted(current)})
        if rng.random() < 0.6:
            current ^= set(rng.sample(everybody, rng.randint(1, names)))
            current = current or {rng.choice(everybody)}
    return sets


def _signers(rng: random.Random, powers: dict[int, int], names: int) -> frozenset[int]:
    if rng.random() < 0.6:
        return frozenset(powers)
    return frozenset(name for name in powers if rng.random() < 0.75)


def _told(rng: random.Random, block: Modelled, chain: list[Modelled]) -> Modelled:
    """A block as a node tells it: as it is, or with one thing changed."""
    block = changed_model(block, fault=rng.choice(FAULTS))
    roll = rng.random()
    if roll < 0.1:
        other = rng.choice(chain)
        block = changed_model(block, powers=other.powers, signers=frozenset(other.powers))
    elif roll < 0.2:
        block = changed_model(block, time_ms=rng.choice(chain).time_ms + rng.randint(-1, 1))
    elif roll < 0.3:
        block = changed_model(block, signers=frozenset(block.powers))
    return block


def make_block(block: Modelled) -> LightBlock:
    """Make a modelled block in earnest, with the hashes and signatures that it claims."""
    validators = set_of(block.powers)
    header = make_header(
        chain_id="another-chain" if block.fault == "chain" else CHAIN_ID,
        height=block.height,
        time_ms=block.time_ms,
        last_block_id=NIL_BLOCK_ID,
        last_commit_hash=b"",
        data_hash=b"",
        validators_hash=validator_set_hash(validators),
        next_validators_hash=validator_set_hash(set_of(block.announced)),
        consensus_hash=bytes(32),
        app_hash=b"",
        last_results_hash=b"",
        proposer_address=validators.addresses[0],
    )
    hashed = header_hash(header)
    block_id = BlockID(hashed, PartSetHeader(1, hashed))
    template = VoteTemplate(header.chain_id, header.height, 1, block_id)
    time_ns = block.time_ms * NANOSECONDS_PER_MS
    entries = []
    for place, address in enumerate(validators.addresses):
        name = next(
            name for name in block.powers if Signer(seed_of(name)).public_key == validators.validators[place].public_key
        )
        if name not in block.signers:
            entries.append(ABSENT)
            continue
        signature = bytes(64) if block.fault == "forged" else Signer(seed_of(name)).sign(template.sign_bytes(time_ns))
        entries.append(CommitSig(BlockIDFlag.COMMIT, address, time_ns, signature))
    made = LightBlock(header, Commit(header.height, 1, block_id, tuple(entries)), validators)
    if block.fault == "hash":
        return changed(made, header=changed(header, app_hash=b"\1"))
    if block.fault == "set":
        return changed(made, validators=set_of({99: 50}))
    if block.fault == "entries":
        return changed(made, commit=changed(made.commit, signatures=(*entries, entries[0])))
    return made
