"""Growing a chain on one machine: to learn and to try. The data folder becomes node1, the others lie in networks/NAME.

Each node is an organisation of its own, so the way is the same as between organisations, with every key on one machine.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from fujie.client.keys import load_key
from fujie.core.errors import OperationalError
from fujie.node.ceremony import join_grown, make_request
from fujie.node.config_file import CONFIG_NAME
from fujie.node.folder import Folder, make_folder, write_file
from fujie.node.handover import Handover, handover_folder, kept_requests
from fujie.node.join_request import JoinRequest
from fujie.node.keyring import AskPassphrase, passphrase_from_environment
from fujie.node.network import FOLDER, HOME_IS_FIRST, Network, neighbours, write_port
from fujie.node.ports import PEER_PORTS, check_range, require_free
from fujie.node.reach import Say
from fujie.store.snapshot import Advance

FIRST_BLOCK_S: Final = 300.0
POLL_S: Final = 0.1


def requests_here(
    folder: Folder, validators: int, port_base: int, ask: AskPassphrase = passphrase_from_environment
) -> tuple[JoinRequest, ...]:
    """Return a request of each node, whose keys are made where they are missing; those of an earlier run are used again.

    Raises :class:`OperationalError`, also where a network of that name is of another chain, and as ``node.ports.require_free``.
    """
    check_range(validators, port_base)
    chain_id = folder.trust().chain_id
    name = chain_id.rpartition("-")[0]
    _require_own(Network(name, folder.home / FOLDER / name), chain_id)
    known = {request.organisation: request for request in kept_requests(handover_folder(folder))}
    if not known:
        require_free(validators, port_base, neighbours(folder.home, name), first=2)  # node1 stays where it is
    requests = []
    for number in range(1, validators + 1):
        node = f"node{number}"
        address = f"127.0.0.1:{port_base + PEER_PORTS + number}"
        place = folder if number == 1 else _folder(folder, name, node)
        if node in known:
            requests.append(known[node])
        else:
            requests.append(make_request(place, name, node, f"Validator {number} on one machine", address, ask))
    return tuple(requests)


def _require_own(network: Network, chain_id: str) -> None:
    """Raise :class:`OperationalError` for a network that began otherwise than by growing this chain."""
    for node in network.folders().values():
        if node.home.parent == network.place and node.trust_path.exists() and node.trust().chain_id != chain_id:
            raise OperationalError(
                f"The network {network.name} in {network.place} is of another chain, {node.trust().chain_id}.",
                f"Stop it (`fujie network stop {network.name}`) and move its folder away, then run this again.",
            )


def start_here(
    folder: Folder,
    handover: Handover,
    port_base: int,
    url: str | None,
    say: Say,
    waiting: Say = lambda _: None,
    progress: Callable[[], AbstractContextManager[Advance | None]] = nullcontext,
) -> Network:
    """Found the other nodes where they are missing, start all, and return the network when it makes blocks.

    The node of ``folder`` comes first, so that it answers reads again while the others are founded. ``url`` is where it
    answered before: a port that no file says is written down, so that it stays. ``waiting`` as of ``Network.start``.
    ``progress`` is opened for each of the others, and hears of rows that are verified. Raises :class:`OperationalError`.
    """
    if url is not None and not (folder.home / CONFIG_NAME).exists():
        write_port(folder, int(url.rpartition(":")[2]))
    name = handover.file.chain_id.rpartition("-")[0]
    network = Network(name, folder.home / FOLDER / name)
    make_folder(network.place)
    write_file(network.place / HOME_IS_FIRST, b"node1 is the data folder that this network lies in.\n")
    network.start([], say, waiting)
    kind = folder.require().store
    for request in handover.requests:
        number = int(request.organisation.removeprefix("node"))
        node = _folder(folder, name, request.organisation)
        if number == 1 or node.chain.exists():
            continue
        say(f"Founding {request.organisation} from the handover folder")
        write_port(node, port_base + number)
        with progress() as advance:
            join_grown(node, handover.place, kind, advance=advance)
    network.start([], say, waiting)
    _wait_for_block(network, handover.file.height + 1)
    return network


def _wait_for_block(network: Network, height: int) -> None:
    give_up_s = time.monotonic() + FIRST_BLOCK_S
    while not any(state.head is not None and state.head.height >= height for state in network.states()):
        if time.monotonic() > give_up_s:
            raise OperationalError(
                f"No block {height} after {FIRST_BLOCK_S:.0f} s.", f"`fujie network logs {network.name}` says why."
            )
        time.sleep(POLL_S)


def is_here(folder: Folder, handover: Handover) -> bool:
    """Tell whether the nodes are those of :func:`requests_here`: all but the first have their keys in networks/NAME."""
    name = handover.file.chain_id.rpartition("-")[0]
    others = [request for request in handover.requests if request.organisation != "node1"]
    keys = [(_folder(folder, name, request.organisation).node_key, request.node_key) for request in others]
    return len(others) < len(handover.requests) and all(
        path.exists() and load_key(path).public_key.hex() == key for path, key in keys
    )


def _folder(folder: Folder, name: str, node: str) -> Folder:
    return Folder(folder.home / FOLDER / name / node)
