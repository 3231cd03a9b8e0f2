"""The processes beside the ledger's: started, watched, started again when they end, stopped with the node.

Plain programs (``python -m …``), not forks: a fork copies the locks of a running ledger. One that ends again and again, or
cannot be started, is tried less and less often; the log and ``describe`` say so. One that lives and gives no sign of life
over the link is killed and started again: stopped or hanging, it would keep requests and an old state of the store waiting.
"""

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import fujie
from fujie.node.child import READY

log = logging.getLogger(__name__)

WATCH_S: Final = 0.1
BACK_OFF_S: Final = (0.0, 0.2, 1.0, 5.0, 15.0, 30.0)  # before a start, by how many lives in a row were short
LIFE_S: Final = 60.0  # a longer life is not a short one
HOPELESS_LIVES: Final = 4  # short lives of a process that was never ready, after which the node gives up its start
BEGIN_S: Final = 900.0  # for so long one may take to begin: the largest ledger is read in far less
STOP_TIMEOUT_S: Final = 15.0  # for requests in hand; uvicorn gives up after 10

_SOURCE: Final = str(Path(fujie.__file__).resolve().parent.parent)


class Child:
    """One process and its successors."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        pass_fds: Sequence[int],
        silent_max_s: float,
    ) -> None:
        """``silent_max_s``: for so long it may give no sign of life once it has begun, or be gone from the link."""
        self.name = name
        self.ready = threading.Event()  # some life of it has been ready
        self.starts = 0
        self.short_lives = 0
        self.silences = 0  # lives that were ended because they gave no sign of life
        self._silent_max_s = silent_max_s
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._pass_fds = tuple(pass_fds)
        self._process: subprocess.Popen[bytes] | None = None
        self._began_s = 0.0
        self._due_s = 0.0
        self._last_code: int | None = None
        self._begun = False  # this life of it has been ready
        # Of the one thread that judges:
        self._judged: tuple[subprocess.Popen[bytes] | None, bool] = (None, False)  # this life, and whether it had begun
        self._heard_s = 0.0  # when that one was heard of last, by the clock of `judge`
        self._given_up: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    @property
    def hopeless(self) -> bool:
        """Whether it ends again and again, and has never been ready."""
        return not self.ready.is_set() and self.short_lives >= HOPELESS_LIVES

    def _start(self) -> None:
        """Start a life of it. Raises ``OSError``, and ``RuntimeError`` where no thread can be started."""
        path = os.pathsep.join(part for part in (_SOURCE, os.environ.get("PYTHONPATH")) if part)
        self._begun = False
        self._process = process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._pass_fds,
            process_group=0,  # Ctrl-C in a terminal is for the node, also before a process can say that it ignores it
            env=os.environ | {"PYTHONPATH": path},
        )
        self.starts += 1
        self._began_s = time.monotonic()
        try:
            threading.Thread(target=self._listen, args=(process,), name=f"fujie-{self.name}", daemon=True).start()
        except RuntimeError:
            process.kill()  # it is found ended, and counts as a short life
            raise

    def look_after(self) -> None:
        """Start it when there is none and its time has come."""
        now_s = time.monotonic()
        process = self._process
        if process is None:
            if now_s >= self._due_s:
                try:
                    self._start()
                except OSError as error:
                    self.short_lives += 1
                    self._put_off(now_s, f"could not be started ({error})")
            return
        code = process.poll()
        if code is None:
            return
        self._bury(process)
        self._last_code = code
        self.short_lives = self.short_lives + 1 if now_s - self._began_s < LIFE_S else 1
        self._put_off(now_s, f"ended with code {code}")

    def judge(self, silent_s: float | None, awake_s: float) -> None:
        """Make an end of it when it lives and has been silent for long.

        ``silent_s``: for how long the link has heard nothing of it; None when it does not follow. ``awake_s``: the
        time, by a clock that stands still while this process does.
        """
        process, begun = self._process, self._begun
        if process is None or process is self._given_up:
            return
        if self._judged != (process, begun):
            self._judged, self._heard_s = (process, begun), awake_s
        if silent_s is not None and begun:
            self._heard_s = awake_s - silent_s
        bound_s = self._silent_max_s if begun else BEGIN_S
        if awake_s - self._heard_s > bound_s:
            what = "has given no sign of life" if begun else "has not begun its work"
            log.error("%s %s for %.0f s; it is killed and started again", self.name, what, bound_s)
            self._given_up = process
            self.silences += 1
            process.kill()

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, until_s: float) -> None:
        """Wait for its end, and make an end of it at ``until_s``."""
        process = self._process
        if process is None:
            return
        try:
            process.wait(max(until_s - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            log.warning("%s did not end in time and is killed", self.name)
            process.kill()
            process.wait()
        self._bury(process)

    def describe(self) -> dict[str, Any]:
        """Say how it is."""
        return {
            "name": self.name,
            "pid": self.pid,
            "running": self._process is not None and self._process.returncode is None,
            "ready": self.ready.is_set(),
            "starts": self.starts,
            "short_lives": self.short_lives,
            "silences": self.silences,
            "last_code": self._last_code,
        }

    def _put_off(self, now_s: float, what: str) -> None:
        """Settle when it is started again, and say so."""
        wait_s = BACK_OFF_S[min(self.short_lives - 1, len(BACK_OFF_S) - 1)]
        self._due_s = now_s + wait_s
        write = log.warning if self.short_lives < HOPELESS_LIVES else log.error
        write("%s %s, %d times in a row; it is tried again in %.1f s", self.name, what, self.short_lives, wait_s)

    def _bury(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = None
        if process.stdin is not None:
            process.stdin.close()

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        """Take what it says on its standard output."""
        assert process.stdout is not None, "it is a pipe"
        with contextlib.closing(process.stdout) as lines:
            for line in lines:
                if line.decode("utf-8", "replace").strip() == READY:
                    self._begun = self._process is process
                    self.ready.set()


class Children:
    """All processes beside the ledger's. One thread adds, judges and stops."""

    def __init__(self, silent_max_s: float) -> None:
        """``silent_max_s``: see :class:`Child`."""
        self._silent_max_s = silent_max_s
        self._children: tuple[Child, ...] = ()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="fujie-processes", daemon=True)
        self._watcher.start()

    def add(self, name: str, module: str, arguments: Sequence[str], pass_fds: Sequence[int] = ()) -> Child:
        """Start a process that runs ``module`` and keep it running. One that cannot be started is tried again."""
        child = Child(name, module, arguments, pass_fds, self._silent_max_s)
        child.look_after()
        self._children = (*self._children, child)
        return child

    def describe(self) -> list[dict[str, Any]]:
        """Say how each of them is. Any thread."""
        return [child.describe() for child in self._children]

    def judge(self, following: Mapping[str, float], awake_s: float) -> None:
        """Make an end of those that are silent; see :meth:`Child.judge`. ``following``: by name, who follows."""
        for child in self._children:
            child.judge(following.get(child.name), awake_s)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ask all of them to end and wait for it; kill what has not ended after ``timeout_s``. Idempotent."""
        self._stop.set()
        self._watcher.join()
        for child in self._children:
            child.terminate()
        until_s = time.monotonic() + timeout_s
        for child in self._children:
            child.wait(until_s)

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_S):
            for child in self._children:
                try:
                    child.look_after()
                except Exception:
                    log.exception("%s could not be looked after", child.name)
