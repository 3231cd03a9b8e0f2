"""Who may be a peer. CometBFT asks it by Query, of every connection, and cuts off whom the answer does not let in.

``persistent_peers`` says only whom a node connects to. Without this, whoever reaches its port is sent every block and snapshot
of the chain, on a restricted one as well.

Source: CometBFT 0.38 specification, "ABCI 2.0", section "Peer Filtering".
"""

from collections.abc import Callable
from typing import Final

from fujie.engine.cometbft import abci

NOT_A_PEER: Final = 2  # a code of Query

_BY_ADDRESS: Final = "/p2p/filter/addr/"
_BY_ID: Final = "/p2p/filter/id/"

IsPeer = Callable[[str], bool]
"""Tells whether the node with an id, 40 hexadecimal digits that it has proven to be its own, may be a peer. Raises nothing."""


def judge_peer(path: str, is_peer: IsPeer) -> abci.ResponseQuery | None:
    """Return the answer to a question about a peer, or None when ``path`` is none. Only the id counts, not the address."""
    if path.startswith(_BY_ADDRESS):
        return abci.ResponseQuery()
    if not path.startswith(_BY_ID):
        return None
    if is_peer(path.removeprefix(_BY_ID)):
        return abci.ResponseQuery()
    return abci.ResponseQuery(
        code=NOT_A_PEER, log="Not among `peers` in cometbft.json; `fujie network peer add ID@host:port` lets it in."
    )


def nobody(_node_id: str) -> bool:
    """Let nobody in."""
    return False
