"""What a file is that was handed to a command: so that one of another kind is called by its name, with what it is for."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from fujie.core.errors import VerificationError
from fujie.machine.genesis import GENESIS
from fujie.proof import bundle
from fujie.store.snapshot import MAGIC


class Kind(NamedTuple):
    """What people call a file, with an article, and what it is for."""

    name: str
    use: str = ""

    def __str__(self) -> str:
        return f"{self.name}, for {self.use}" if self.use else self.name


A_GENESIS: Final = Kind("a genesis", "`fujie network join` or `fujie init --genesis`")
A_NETWORK: Final = Kind("a network file", "`fujie network join`")
A_REQUEST: Final = Kind("a join request", "`fujie network genesis`, `show` and `grow`")
A_FORK: Final = Kind("evidence of two signed blocks", "`fujie verify` and `fujie network report-evidence`")
A_RESULT: Final = Kind("evidence of a wrong result", "`fujie verify`")
AN_ATTACK: Final = Kind("evidence of two signed chains", "`fujie verify` and `fujie network report-evidence`")
EVIDENCE: Final = (A_FORK, A_RESULT, AN_ATTACK)

FORMATS: Final[Mapping[str, Kind]] = {
    "fujie-network-1": A_NETWORK,
    "fujie-join-1": A_REQUEST,
    "fujie-fork-1": A_FORK,
    "fujie-result-1": A_RESULT,
    "fujie-light-attack-1": AN_ATTACK,
    "fujie-handover-1": Kind("the handover.json of a handover folder", "`fujie network join`, which takes the folder"),
    "fujie-trust-1": Kind("a trust root", "--trust"),
    "fujie-key-1": Kind("a key", "its owner alone"),
    "fujie-wallet-1": Kind("a wallet", "its owner alone"),
    "fujie-cometbft-1": Kind("the cometbft.json of a data folder"),
    "fujie-mirror-1": Kind("the mirror.json of a data folder"),
    "fujie-heads-1": Kind("the heads.json of a data folder"),
}


def kind_of(data: bytes) -> Kind:
    """Return what a file with this content says that it is; nothing of it is verified."""
    if not data:
        return Kind("an empty file")
    if data.startswith(MAGIC):
        return Kind("a snapshot", "`fujie snapshot load`")
    if data.lstrip().startswith(b"{"):
        return _json_kind(data)
    try:
        bundle.open_bundle(data)
    except VerificationError:
        pass
    else:
        return Kind("a proof or receipt", "`fujie verify`")
    try:
        GENESIS.decode(data)
    except VerificationError:
        return Kind("no file that Fujie knows")
    return A_GENESIS


def _json_kind(data: bytes) -> Kind:
    try:
        fields: Any = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Kind("no file that Fujie knows, or a damaged one")
    if "genesis_time" in fields:
        return Kind("the genesis file of CometBFT", "its node alone")
    return FORMATS.get(str(fields.get("format", "")), Kind("JSON of another kind"))
