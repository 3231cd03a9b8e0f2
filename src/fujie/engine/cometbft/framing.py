"""Messages on a socket as CometBFT 0.38 sends them: a varint that says how long, and then the message.

The length is an unsigned varint (ABCI before 2.0 had a signed one). Nothing in here reads a socket or knows what a
message means.
"""

from typing import Final

from fujie.core.errors import OperationalError
from fujie.proof.wire import encode_varint

# PrepareProposal may bring everything that the mempool holds: PENDING_BYTES_MAX, and the same again for what surrounds
# very small transactions. A block, its votes and a chunk of a snapshot are smaller. CometBFT itself stops at 2 GiB.
FRAME_BYTES_MAX: Final = 67_108_864

LENGTH_BYTES_MAX: Final = 5  # enough for every length that CometBFT writes; more of them are not a length


class FrameError(OperationalError):
    """What comes over a socket is not a sequence of messages. The connection is of no more use."""


class BadLengthError(FrameError):
    """No length stands where one should."""

    def __init__(self) -> None:
        super().__init__("What came over the socket is no length of a message.", "Connect CometBFT 0.38 to it.")


class FrameTooLargeError(FrameError):
    """A message has more bytes than it may have."""

    def __init__(self, size: int, bytes_max: int) -> None:
        super().__init__(
            f"A message has {size} bytes; the bound is {bytes_max}.", "Lower the bounds on blocks and on the mempool."
        )


class TornFrameError(FrameError):
    """The connection ended within a message."""

    def __init__(self, missing: int) -> None:
        super().__init__(f"The connection ended at least {missing} bytes too early.", "See the log of CometBFT.")


def frame(message: bytes, bytes_max: int = FRAME_BYTES_MAX) -> bytes:
    """Return ``message`` with its length before it. Raises :class:`FrameTooLargeError`."""
    if len(message) > bytes_max:
        raise FrameTooLargeError(len(message), bytes_max)
    return encode_varint(len(message)) + message


class FrameReader:
    """Takes bytes as they come, in pieces of any size, and returns the messages in them. Holds one message at most."""

    __slots__ = ("_beginning", "_bytes_max", "_needed")

    def __init__(self, bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._beginning = bytearray()  # of a message that is not complete
        self._needed = 0  # bytes of the beginning from which on it may be

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that ``data`` completes, in order.

        Raises :class:`BadLengthError` and :class:`FrameTooLargeError`, before the bytes of that message are kept.
        """
        if self._beginning:
            self._beginning += data
            if len(self._beginning) < self._needed:
                return []
            data = bytes(self._beginning)
            self._beginning.clear()
        messages = []
        position, end = 0, len(data)
        while position < end:
            length, start = data[position], position + 1
            if length > 127:
                length, start = self._long_length(data, position)
            if start + length > end:
                self._beginning += data[position:]
                self._needed = start + length - position
                break
            position = start + length
            messages.append(data[start:position])
        return messages

    def finish(self) -> None:
        """Say that nothing more comes. Raises :class:`TornFrameError` when a message has begun."""
        if self._beginning:
            raise TornFrameError(self._needed - len(self._beginning))

    def _long_length(self, data: bytes, position: int) -> tuple[int, int]:
        """Return the length at ``position`` and where the message begins; a byte more where the length goes on."""
        length = 0
        for index, byte in enumerate(data[position : position + LENGTH_BYTES_MAX]):
            length |= (byte & 127) << 7 * index
            if byte < 128:
                if length > self._bytes_max:
                    raise FrameTooLargeError(length, self._bytes_max)
                return length, position + index + 1
        if len(data) - position >= LENGTH_BYTES_MAX:
            raise BadLengthError
        return 1, len(data)
