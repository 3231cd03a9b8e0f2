"""The `cometbft` process of a node: started, watched, started again, stopped."""

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError
from fujie.core.signing import Signer
from fujie.engine.cometbft.home import validator_key_text
from fujie.engine.cometbft.locks import FolderLock
from fujie.engine.cometbft.output import Output
from fujie.engine.key_lock import KeyLock

BACK_OFF_S: Final = (0.5, 1.0, 2.0, 5.0, 15.0)  # by how many ends came in a row
STEADY_S: Final = 60.0  # a run of this length was no failed start
STOP_S: Final = 20.0  # it has a block in hand at most

log = logging.getLogger(__name__)


class CometProcess:
    """Keeps `cometbft start` running on one home. It listens at ``rpc``, and its output goes to ``log_file``, appended."""

    def __init__(
        self,
        binary: Path,
        home: Path,
        rpc: Path,
        log_file: Path,
        started: Callable[[], None],
        validator: Signer | None = None,
        heard: Callable[[bytes], None] | None = None,
    ) -> None:
        """Start it, and a thread that watches it; ``started`` is called there after every start but the first.

        ``validator`` signs its votes: the key goes to it through its standard input and stands in no file, for which its
        configuration names ``/dev/stdin``. Without one, it has a key file of its own. ``heard`` is called with what it says.

        Raises :class:`OperationalError` when it does not start at all, or the key or the home is in use.
        """
        self._command = [str(binary), "start", "--home", str(home)]
        self._rpc = rpc
        self._log_file = log_file
        self._started = started
        self._validator = validator
        self._heard = heard
        self._closing = threading.Event()
        self._folder_lock = FolderLock(home)
        self._key_lock: KeyLock | None = None
        try:
            data_folder = home.parent
            self._key_lock = None if validator is None else KeyLock(validator.public_key, data_folder)
            self._process = self._start()
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

    def _start(self) -> "subprocess.Popen[bytes]":
        held = [lock.descriptor for lock in (self._folder_lock, self._key_lock) if lock is not None]
        given = subprocess.DEVNULL if self._validator is None else _pipe_with(validator_key_text(self._validator))
        self._rpc.unlink(missing_ok=True)  # one that was killed leaves its socket, and the next does not take it over
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
        Output(process.stdout, self._log_file, self._heard)
        return process

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
            log.warning(
                "cometbft ended with code %d and starts again in %.1f s; see %s",
                self._process.returncode,
                wait_s,
                self._log_file,
            )
            if self._closing.wait(wait_s):
                return
            began_s = time.monotonic()
            with contextlib.suppress(OperationalError):
                self._process = self._start()
                self._started()


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
