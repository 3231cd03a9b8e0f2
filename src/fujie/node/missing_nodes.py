"""Nodes of a network on one machine whose folder is gone or not whole, as far as those that are here tell."""

from collections import Counter

from fujie.node.cometbft_file import port_of, read_comet_file
from fujie.node.network import NODE_NAME, Network
from fujie.node.ports import NODES_MAX


def missing_nodes(network: Network) -> list[str]:
    """Return a sentence for each. Nothing but the peers that the others know says that a folder was there.

    Raises :class:`OperationalError` for a cometbft.json that does not read.
    """
    known = network.folders()
    found = [
        f"{path.name}: {path} has no cometbft.json, so it is not counted as a node."
        for path in sorted(network.place.iterdir())
        if NODE_NAME.fullmatch(path.name) and path.name not in known
    ]
    files = {name: read_comet_file(folder) for name, folder in known.items()}
    # node3 waits for its peers at the port 3 above the base; one that was moved elsewhere says nothing of the others.
    bases = Counter(port_of(file.listen) - int(name.removeprefix("node")) for name, file in files.items())
    [(base, _)] = bases.most_common(1)
    addresses = {peer.address for file in files.values() for peer in file.known_peers}
    for number in range(1, NODES_MAX + 1):
        name, address = f"node{number}", f"127.0.0.1:{base + number}"
        if address in addresses and name not in known and not (network.place / name).exists():
            found.append(
                f"{name}: the others know it at {address}, and there is no folder {network.place / name}. If it is a validator, "
                "it counts as one that is away."
            )
    return found
