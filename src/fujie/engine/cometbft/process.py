"""The `cometbft` process of a node: started, watched, started again, stopped."""

import contextlib
import errno
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from fujie.core.errors import OperationalError
from fujie.core.signing import Signer
from fujie.engine.cometbft.home import validator_key_text
from fujie.engine.cometbft.locks import FolderLock
from fujie.engine.cometbft.output import Output, last_words
from fujie.engine.key_lock import KeyLock
from fujie.engine.ports import bind_error, host_of

BACK_OFF_S: Final = (0.5, 1.0, 2.0, 5.0, 15.0)  # by how many ends came in a row
STEADY_S: Final = 60.0  # a run of this length was no failed start
STOP_S: Final = 20.0  # it has a block in hand at most
WORDS_S: Final = 1.0  # for its last words to reach the file

log = logging.getLogger(__name__)


class Paths(NamedTuple):
    """Where the parts of a node's CometBFT are."""

    binary: Path
    home: Path  # config.toml, genesis.json, keys and blocks of CometBFT
    socket: Path  # where we listen: its proxy_app
    rpc: Path  # where it listens for us
    log: Path  # its output, appended
    listen: str  # where it listens for its peers, host:port


class CometProcess:
    """Keeps `cometbft start` running on one home."""

    def __init__(
        self,
        paths: Paths,
        started: Callable[[], None],
        validator: Signer | None = None,
        heard: Callable[[bytes], None] | None = None,
    ) -> None:
        """Start it, and a thread that watches it; ``started`` is called there after every start but the first.

        ``validator`` signs its votes: the key goes to it through its standard input and stands in no file, for which its
        configuration names ``/dev/stdin``. Without one, it has a key file of its own. ``heard`` is called with what it says.

        Raises :class:`OperationalError` when it does not start at all, or the key, the home or the port for its peers is in use.
        """
        self._command = [str(paths.binary), "start", "--home", str(paths.home)]
        self._paths = paths
        self._started = started
        self._validator = validator
        self._heard = heard
        self._closing = threading.Event()
        self._folder_lock = FolderLock(paths.home)
        self._key_lock: KeyLock | None = None
        try:
            data_folder = paths.home.parent
            self._key_lock = None if validator is None else KeyLock(validator.public_key, data_folder)
            require_free(paths.listen)
            self._process, self._output = self._start()
        except BaseException:
            self._release()
            raise
        self._thread = threading.Thread(target=self._watch, name="fujie-cometbft", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """The number of the process that runs, or ran last."""
        return self._process.pid

    def close(self, *, at_once: bool = False) -> None:
        """Stop it and wait for its end. Idempotent. ``at_once``: it waits for an answer that it does not get."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join()
        process = self._process
        if process.poll() is None:
            process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                log.warning("cometbft did not stop in %.0f s and is killed; nothing durable is lost", STOP_S)
                process.kill()
                process.wait()
        self._release()

    def _start(self) -> "tuple[subprocess.Popen[bytes], Output]":
        held = [lock.descriptor for lock in (self._folder_lock, self._key_lock) if lock is not None]
        given = subprocess.DEVNULL if self._validator is None else _pipe_with(validator_key_text(self._validator))
        self._paths.rpc.unlink(
            missing_ok=True
        )  # one that was killed leaves its socket, and the next does not take it over
        try:
            # In a group of its own: Ctrl-C in a terminal is for the node, which stops it in its turn.
            process = subprocess.Popen(
                self._command,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                pass_fds=held,
                start_new_session=True,
            )
        except OSError as error:
            raise OperationalError(
                f"{self._command[0]} cannot be started: {error.strerror}.", "Run `fujie engine install`."
            ) from error
        finally:
            if given != subprocess.DEVNULL:
                os.close(given)
        self._folder_lock.name(process.pid)
        assert process.stdout is not None, "it is a pipe"
        return process, Output(process.stdout, self._paths.log, self._heard)

    def _release(self) -> None:
        for lock in (self._folder_lock, self._key_lock):
            if lock is not None:
                lock.release()

    def _watch(self) -> None:
        failures = 0
        began_s = time.monotonic()
        while not self._closing.wait(0.1):
            if self._process.poll() is None:
                continue
            if time.monotonic() - began_s > STEADY_S:
                failures = 0
            wait_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
            failures += 1
            self._output.thread.join(WORDS_S)
            log.warning(
                "cometbft ended with code %d (%s) and starts again in %.1f s; see %s",
                self._process.returncode,
                last_words(self._paths.log) or "without a word",
                wait_s,
                self._paths.log,
            )
            if self._closing.wait(wait_s):
                return
            began_s = time.monotonic()
            with contextlib.suppress(OperationalError):
                self._process, self._output = self._start()
                self._started()


def require_free(address: str) -> None:
    """Raise :class:`OperationalError` where nobody can listen at ``address``, which is ``host:port``."""
    port = address.rpartition(":")[2]
    error = bind_error(host_of(address), int(port))
    if error == errno.EADDRINUSE:
        raise OperationalError(
            f"{address}, where this node waits for its peers, is in use by another program.",
            f"Stop that program (`ss -ltnp 'sport = :{port}'` names it), or tell this node and its peers another address "
            "(`listen` in cometbft.json).",
        )
    if error is not None:
        raise OperationalError(
            f"This node cannot wait for its peers at {address}: {os.strerror(error)}.",
            "Write an address of this machine, or 0.0.0.0 for all of them, as `listen` into cometbft.json.",
        )


def _pipe_with(text: bytes) -> int:
    """Return the end to read from of a pipe that holds ``text`` and nothing more. It is far smaller than a pipe may be."""
    reading, writing = os.pipe()
    try:
        os.write(writing, text)
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return reading
