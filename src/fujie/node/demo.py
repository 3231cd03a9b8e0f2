"""Filling a chain with the demonstration: real signed transactions through the engine, resumable at any point.

What the ledger holds already is never asked for again: a step is done when the record that it writes last stands in state.
So an interrupted first start goes on where it stopped, and a second start submits nothing.
"""

import secrets
import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, NamedTuple, Protocol

from fujie.client.wallet import WalletFile, save_wallet
from fujie.core.errors import OperationalError
from fujie.core.transaction import Transaction, sign_transaction
from fujie.engine.base import Engine
from fujie.machine.genesis import Genesis, chain_id, compose
from fujie.modules.catalog import reason
from fujie.node.demo_world import CHAIN_NAME, INSTRUMENT, WALLETS, DemoWorld, Step, genesis_parts, key_names
from fujie.node.folder import Folder, make_folder
from fujie.node.founding import found_from
from fujie.node.keyring import ensure_demo_keys, ensure_key
from fujie.store.opening import StoreKind

BATCH_STEPS: Final = 16  # engine.embedded verifies as many without starting its worker process
EXPIRY_MS: Final = 120_000


class Progress(Protocol):
    """What is told of the filling. ``advance`` is called after each batch, once it is durable."""

    def start(self, total: int) -> None:
        """``total`` identifiers are to be allocated, all in all."""
        ...

    def advance(self, group: str, count: int) -> None:
        """``count`` more identifiers of ``group`` stand on the ledger."""
        ...


class Filled(NamedTuple):
    """What filling did: transactions submitted now, identifiers allocated now, and the seconds it took."""

    transactions: int
    identifiers: int
    seconds: float


def fill(engine: Engine, world: DemoWorld, progress: Progress | None = None) -> Filled:
    """Bring the chain of ``engine`` to the whole demonstration, submitting only what is missing.

    Raises :class:`OperationalError` when the ledger refuses a step: the chain was founded with other keys.
    """
    began = time.monotonic()
    missing = [step for step in world.steps() if engine.read(step.done) is None]
    total = sum(step.identifiers for step in missing)
    if progress is not None and missing:
        progress.start(total)
    for group, steps in groupby(missing, key=lambda step: step.group):
        for batch in _batches(list(steps)):
            _submit(engine, batch)
            if progress is not None:
                progress.advance(group, sum(step.identifiers for step in batch))
    return Filled(len(missing), total, time.monotonic() - began)


def _batches(steps: list[Step]) -> Iterable[list[Step]]:
    return (steps[start : start + BATCH_STEPS] for start in range(0, len(steps), BATCH_STEPS))


def _submit(engine: Engine, steps: list[Step]) -> None:
    expires_at_ms = max(time.time_ns() // 1_000_000, engine.head.time_ms) + EXPIRY_MS
    transactions = []
    for step in steps:
        keys = tuple(sorted(signer.public_key for signer in step.signers))
        body = Transaction(engine.chain_id, secrets.token_bytes(16), expires_at_ms, step.operations, keys)
        transactions.append(sign_transaction(body, step.signers))
    for step, outcome in zip(steps, engine.submit(transactions).result(), strict=True):
        if outcome.code:
            refused = reason(outcome.code)
            said = f"{refused.name}: {refused.sentence}" if refused is not None else f"reason {outcome.code}"
            raise OperationalError(
                f"The ledger refused a step of the demonstration ({step.group}, {step.done.path}): {said}",
                "The data folder was founded with other keys or changed since; `fujie up` with another FUJIE_HOME works.",
            )


def found_demo(folder: Folder, store: StoreKind = "sqlite") -> None:
    """Found the demonstration's chain in ``folder``, which holds none. Raises :class:`OperationalError`.

    What an interrupted founding left of the keys is used again.
    """
    validator = ensure_key(folder.validator_key, "validator")
    found_from(folder, store, "demo", demo_genesis(folder, CHAIN_NAME, [validator.public_key]))


def demo_genesis(folder: Folder, name: str, validators: Sequence[bytes]) -> Genesis:
    """Return the genesis of the demonstration, and put the keys of all its parties and their wallet files into ``folder``.

    ``validators``: the public keys of those who sign its blocks.
    """
    keys = ensure_demo_keys(folder)
    for key in key_names():
        path = folder.key_folders[1] / f"{key}.key"
        ensure_key(path, f"{key} (demonstration)", keys.signer(key).seed)
    genesis = compose(name, time.time_ns() // 1_000_000, genesis_parts(keys, validators))
    make_folder(folder.wallet_folders[1])
    for wallet in WALLETS:
        save_wallet(
            folder.wallet_folders[1] / f"{wallet.name}.json",
            WalletFile(
                name=wallet.name,
                chain_id=chain_id(genesis),
                wallet=keys.wallet_id(wallet.name).hex(),
                instrument=INSTRUMENT,
                key_file=f"../keys/{wallet.name}.key",
            ),
            overwrite=True,
        )
    return genesis
