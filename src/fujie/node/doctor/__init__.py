"""`fujie doctor`: finds what is wrong with a data folder or a connection, and says what to do. It changes nothing.

Each check is a small function; one that cannot look, because something that it needs is missing, says so.
"""

from fujie.client.heads import HeadMemory
from fujie.client.light.following import store_in
from fujie.core.errors import FujieError
from fujie.node.cometbft_file import has_cometbft
from fujie.node.doctor import chain, connection_checks, files, machine, mirroring, processes, validating
from fujie.node.doctor.connection import Connection
from fujie.node.doctor.report import Finding, Verdict, examine
from fujie.node.doctor.scene import Scene
from fujie.node.folder import Folder
from fujie.proof.trust import TrustRoot

__all__ = ["Finding", "Verdict", "examine_connection", "examine_folder"]

FOLDER_CHECKS = (*files.CHECKS, *chain.CHECKS, *processes.CHECKS, *mirroring.CHECKS, *machine.CHECKS)


def examine_folder(folder: Folder) -> tuple[list[Finding], Scene]:
    """Return what the checks of a data folder find, and what they looked at."""
    scene = Scene(folder)
    checks = (*FOLDER_CHECKS, *validating.CHECKS) if scene.exists and has_cometbft(folder) else FOLDER_CHECKS
    return examine(checks, scene), scene


def examine_connection(url: str, trust: TrustRoot | None, folder: Folder | None = None) -> list[Finding]:
    """Return what the checks of a connection find. ``folder`` remembers what was seen of the chain before."""
    seen, known = None, None
    if trust is not None and folder is not None:
        path = folder.home / "heads.json"
        try:
            seen = HeadMemory(path).seen(trust.chain_id) if path.exists() else None
            known = store_in(folder.home, trust)
        except FujieError:
            pass  # a file is damaged; commands that need it say so
    return examine(connection_checks.CHECKS, Connection(url, trust, seen, known))
