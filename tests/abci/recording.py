"""A socket between CometBFT and the application that keeps what passes."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Final

from fujie.engine.cometbft.framing import FrameReader

_READ_BYTES: Final = 65_536


class Recording:
    """Passes bytes between two sockets. Close it after both sides have closed their connections."""

    def __init__(self, path: Path, application: Path) -> None:
        self._application = application
        self._kept: list[tuple[bytearray, bytearray]] = []  # of each connection: what came, what was answered
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        """Stop listening, and wait for what still passes."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def messages(self) -> list[tuple[list[bytes], list[bytes]]]:
        """Return, for each connection, the messages that came and those that were answered."""
        return [(FrameReader().feed(bytes(came)), FrameReader().feed(bytes(sent))) for came, sent in self._kept]

    def _accept(self) -> None:
        while True:
            try:
                front, _ = self._listener.accept()
            except OSError:
                return
            back = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            back.connect(str(self._application))
            came, answered = bytearray(), bytearray()
            self._kept.append((came, answered))
            passing = threading.Thread(target=self._pass_both, args=(front, back, came, answered))
            passing.start()
            self._threads.append(passing)

    def _pass_both(self, front: socket.socket, back: socket.socket, came: bytearray, answered: bytearray) -> None:
        answers = threading.Thread(target=_pass, args=(back, front, answered))
        answers.start()
        _pass(front, back, came)
        answers.join()
        front.close()
        back.close()


def _pass(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    """Pass bytes on until one side ends; then end both."""
    with contextlib.suppress(OSError):
        while data := source.recv(_READ_BYTES):
            kept += data
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
