"""A recorded sequence of blocks, carried out on every store: prints what came of it, for ``test_determinism``.

Run as a program, so that the interpreter's hash seed, the time zone and the locale are those of the environment.
"""

import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from fujie.core.encoding import encode
from fujie.core.policy import single
from fujie.core.transaction import VerifiedBlock
from fujie.engine.admission import verify_transaction
from fujie.engine.executor import Executor, found
from fujie.machine.genesis import Genesis, chain_id, compose
from fujie.modules.currency.operations import Distribute, FreezeWallet, Issue, RotateWalletKeys
from fujie.modules.currency.records import FreezeScope
from fujie.modules.membership.operations import Propose, Vote
from fujie.modules.membership.records import Action, ActivateRules, FoundRoom
from fujie.modules.membership.records import AdmitOrganisation as Admit
from tests import world
from tests.world import (
    BANK,
    INSTITUTION,
    INSTRUMENT,
    KINDS,
    ROOT,
    START_MS,
    MemoryChain,
    Signing,
    allocate,
    funded,
    holder,
    open_wallet,
    pay,
)

DAY_MS = 86_400_000

Steps = Callable[[Signing], Iterator[tuple[int, list[bytes]]]]
"""What is asked of a chain: the time of each block, and its transactions."""


def sequence(signing: Signing) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (time, transactions) of every block: all rooms, refusals, several operations, days and minutes apart."""
    now_ms = funded().time_ms
    stranger = world.signer("stranger")
    for number in range(30):
        now_ms += (1, 999, 59_000, DAY_MS // 2)[number % 4]
        expires_at_ms = now_ms + 1_000
        raws = [
            signing.sign(pay(n % 4, (n + number) % 4, n + 1), holder(n % 4), expires_at_ms=expires_at_ms)
            for n in range(number)
        ]
        raws.append(signing.sign([pay(0, 1), pay(0, 2, 10**12)], holder(0), expires_at_ms=expires_at_ms))
        raws.append(signing.sign(pay(0, 1), stranger, expires_at_ms=expires_at_ms))
        raws.append(signing.sign(allocate(str(1_000 + number)), ROOT, expires_at_ms=expires_at_ms))
        raws.append(raws[0])
        yield now_ms, raws if number % 3 else []
    keys = single(world.signer("new").public_key)
    others = [
        signing.sign(RotateWalletKeys(world.wallet_id(3), keys), holder(3), expires_at_ms=now_ms + 9_000),
        signing.sign(
            FreezeWallet(world.wallet_id(2), "institution", FreezeScope.ALL, "order 7"),
            INSTITUTION,
            expires_at_ms=now_ms + 9_000,
        ),
        signing.sign(pay(1, 2), holder(1), expires_at_ms=now_ms + 9_000),
    ]
    yield now_ms + 1, others
    actions: list[Action] = [
        Admit("province", "A province · 省", "province", keys),
        ActivateRules("identity", 1, 10**6),
    ]
    for number, action in enumerate(actions):
        # Whatever becomes of the second one: what counts is that it is the same everywhere.
        proposal = world.nonce(2_000_000 + number)
        votes = [
            signing.sign(Propose("root", proposal, action, now_ms + DAY_MS), ROOT, expires_at_ms=now_ms + 9_000),
            signing.sign(Vote("root", proposal), ROOT, expires_at_ms=now_ms + 9_000),
            signing.sign(Vote("central-bank", proposal), *BANK[:2], expires_at_ms=now_ms + 9_000),
        ]
        yield now_ms + 2 + number, votes


def gaining(signing: Signing) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (time, transactions) of every block of a chain that begins with membership and identity, and gains currency."""
    part = encode(dict(world.parts())["currency"])
    issue = Issue("institution", INSTRUMENT, 1_000, world.nonce(77))
    give = Distribute("institution", world.wallet_id(0), INSTRUMENT, 900)
    steps: list[list[bytes]] = [
        signing.decide(ActivateRules("currency", 1, 5), 1),
        signing.decide(FoundRoom("currency", part), 2),  # its last vote comes before the rules are in force
        [signing.sign(issue, *BANK[:2])],
        [],
        # From here on the room may be founded: with what does not read, as is right, and a second time.
        [*signing.decide(FoundRoom("currency", part[:-1]), 3), signing.sign(issue, *BANK[:2])],
        [signing.sign(Vote("central-bank", world.nonce(1_000_002)), *BANK[:2]), signing.sign(issue, *BANK[:2])],
        [*signing.decide(FoundRoom("currency", part), 4), signing.sign(issue, *BANK[:2])],
        [signing.sign([open_wallet(0), open_wallet(1), give], INSTITUTION), signing.pay(0, 1, 7)],
    ]
    for number, raws in enumerate(steps, 1):
        yield START_MS + number, raws


def gained() -> Genesis:
    """Return the genesis at which the chain of :func:`gaining` begins."""
    return world.composed("membership", "identity")


def blocks(genesis: Genesis | None = None, steps: Steps = sequence) -> list[VerifiedBlock]:
    """Return the sequence, or ``steps`` on another ``genesis``, as blocks."""
    name = chain_id(genesis or funded())
    made = []
    for height, (time_ms, raws) in enumerate(steps(Signing(name)), 1):
        made.append(VerifiedBlock(name, height, time_ms, tuple(verify_transaction(raw) for raw in raws)))
    return made


def on_the_machine() -> Iterator[str]:
    """Carry the sequence out in memory, by the machine alone; yield the receipts of every block and the last state."""
    chain = MemoryChain(funded())
    for block in blocks():
        result = chain.apply(block)
        chain.keep(block, result)
        yield _digest([encode(receipt) for receipt in result.receipts])
    yield _digest([path.encode() + image for path, image in sorted(chain.image().items())])


def on_a_store(
    kind: world.Kind, folder: Path, genesis: Genesis | None = None, steps: Steps = sequence
) -> Iterator[str]:
    """Carry the sequence, or ``steps`` on another ``genesis``, out on a store; yield app hash and receipts of every block."""
    folder.mkdir(parents=True)
    store = world.open_kind(kind, folder)
    found(store, genesis or funded())
    executor = Executor(store)
    for block in blocks(genesis, steps):
        staged = executor.stage(block, executor.apply(block))
        executor.commit(staged)
        yield executor.head.app_hash.hex() + " " + _digest([encode(receipt) for receipt in staged.result.receipts])
    store.close()


def _digest(parts: list[bytes]) -> str:
    return sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()


def main() -> None:
    folder = Path(sys.argv[1])
    for line in on_the_machine():
        print("machine", line)
    for kind in KINDS:
        for line in on_a_store(kind, folder / kind):
            print(kind, line)
        for line in on_a_store(kind, folder / f"{kind}-gaining", gained(), gaining):
            print("gaining", kind, line)
    print("genesis", chain_id(compose("world", START_MS, world.parts())))


if __name__ == "__main__":
    main()
