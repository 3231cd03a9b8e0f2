"""A recorded sequence of blocks, carried out by the application over its socket: what came of it, for parity and determinism.

Run as a program, so that the interpreter's hash seed, the time zone and the locale are those of the environment.
"""

import itertools
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from fujie.core.limits import BLOCK_BYTES_MAX
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.consensus import Block
from fujie.engine.cometbft.server import AbciServer
from fujie.engine.executor import found
from fujie.machine.genesis import Genesis, chain_id
from fujie.machine.schedule import SCHEDULE
from tests import world
from tests.abci.client import AbciClient, connected
from tests.abci.replica import Replica
from tests.abci.requests import judging, request_of, timestamp
from tests.engine.bare import BareChain, Result
from tests.engine.recorded import sequence
from tests.world import KINDS, VALIDATOR, Kind, Signing, funded

MISBEHAVED_AT: Final = 4  # every so many blocks of the recorded sequence tell of misbehaviour


def recorded() -> Iterator[Block]:
    """Yield the recorded sequence, some of its blocks telling of misbehaviour, of validators known and unknown."""
    keys = itertools.cycle((VALIDATOR.public_key, world.signer("stranger").public_key))
    for height, (time_ms, raws) in enumerate(sequence(Signing(chain_id(funded()))), 1):
        acts = [
            world.misbehaviour(height - 1, next(keys)) for _ in range(height % 3 if height % MISBEHAVED_AT == 0 else 0)
        ]
        yield Block(height, time_ms, tuple(raws), tuple(acts))


def by_the_bare_machine(blocks: Sequence[Block], genesis: Genesis | None = None) -> list[Result]:
    """Carry a sequence out in memory."""
    chain = BareChain(genesis or funded())
    return [chain.decide(block) for block in blocks]


def by_the_application(
    blocks: Sequence[Block], kind: Kind, folder: Path, genesis: Genesis | None = None
) -> list[Result]:
    """Carry a sequence out on a new store, every request over the socket, each block proposed and judged before."""
    folder.mkdir(parents=True)
    store = world.open_kind(kind, folder)
    founding = genesis or funded()
    found(store, founding)
    replica = Replica(store, SCHEDULE)
    try:
        with _listening(replica) as client:
            _begin(client, founding)
            return [_carry_out(client, replica, block) for block in blocks]
    finally:
        replica.close()


@contextmanager
def _listening(replica: Replica) -> Iterator[AbciClient]:
    with tempfile.TemporaryDirectory(prefix="fujie-") as place:
        server = AbciServer(replica.application, Path(place) / "abci.sock", lambda _request, _error: None)
        try:
            with connected(server.path) as client:
                yield client
        finally:
            server.close()


def _begin(client: AbciClient, genesis: Genesis) -> None:
    assert client.query.info().last_block_height == 0
    client.consensus.init_chain(
        abci.RequestInitChain(
            time=timestamp(genesis.time_ms + 1),
            chain_id=chain_id(genesis),
            validators=[abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=VALIDATOR.public_key), power=10)],
            initial_height=1,
        )
    )


def _carry_out(client: AbciClient, replica: Replica, block: Block) -> Result:
    client.mempool.check_tx(block.transactions)
    request = request_of(block)
    client.consensus.prepare_proposal(
        abci.RequestPrepareProposal(
            max_tx_bytes=BLOCK_BYTES_MAX,
            txs=request.txs,
            misbehavior=request.misbehavior,
            height=request.height,
            time=request.time,
        )
    )
    client.consensus.process_proposal(judging(request))
    answer = client.consensus.finalize_block(request)
    client.consensus.commit()
    assert client.query.info().last_block_app_hash == answer.app_hash
    executor = replica.executor
    entries = executor.entries(executor.head.log_size - len(block.transactions), executor.head.log_size)
    return Result(answer.app_hash, [entry.receipt for entry in entries], [each.code for each in answer.tx_results])


def main() -> None:
    folder = Path(sys.argv[1])
    blocks = list(recorded())
    for kind in KINDS:
        for result in by_the_application(blocks, kind, folder / kind):
            print(kind, result.app_hash.hex(), sha256(b"".join(result.receipts)).hexdigest(), *result.codes)


if __name__ == "__main__":
    main()
