"""One gRPC stream over HTTP/2 as a pure client: bytes in, messages and bytes out.

A load generator shares the machine with what it measures, so a frame must cost it little: this
is the part of RFC 9113 that one long stream on a connection of its own needs. Response headers
are not decoded; a stream that ends early shows as ``ended``.
"""

import struct
from collections.abc import Iterator

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_ENABLE_PUSH, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 2, 4, 5
_STREAM = 1
_LARGEST_WINDOW = 2**31 - 1
_DEFAULT_WINDOW = 65_535
_FRAME_HEAD = struct.Struct(">3sBBI")  # length, type, flags, stream
_GRPC_PREFIX = struct.Struct(">BI")  # compressed or not, length


class GrpcStream:
    """A bidirectional call of one method.

    Args:
        authority: host and port.
        path: of the method, e.g. ``/emotion.v1.EmotionService/StreamRecognize``.
    """

    def __init__(self, authority: str, path: str) -> None:
        self.ended = False
        """Whether the server has ended the stream or the connection."""
        self._received = bytearray()
        self._messages = bytearray()
        self._out = bytearray(_PREFACE)
        self._started = False
        self._waiting = bytearray()
        self._window = {0: _DEFAULT_WINDOW, _STREAM: _DEFAULT_WINDOW}
        self._initial_window = _DEFAULT_WINDOW
        self._max_frame = 16_384
        settings = struct.pack(">HIHI", _ENABLE_PUSH, 0, _INITIAL_WINDOW_SIZE, _LARGEST_WINDOW)
        self._frame(_SETTINGS, 0, 0, settings)
        # Replies never fill such a window, so none is ever given back.
        self._frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _LARGEST_WINDOW - _DEFAULT_WINDOW))
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": authority,
            "te": "trailers",
            "content-type": "application/grpc",
        }
        self._frame(
            _HEADERS,
            _END_HEADERS,
            _STREAM,
            b"".join(_field(name, value) for name, value in headers.items()),
        )

    @property
    def can_send(self) -> bool:
        """Whether all before has gone to the network, as far as the server's windows go."""
        return self._started and not self.ended and not self._waiting

    def send(self, message: bytes) -> None:
        """Sends a message; what the server has no room for yet waits here."""
        data = _GRPC_PREFIX.pack(0, len(message)) + message
        sent = 0 if self._waiting else self._send_some(data)
        if sent < len(data):
            self._waiting += data[sent:]

    def end(self) -> None:
        """Half-closes: no more messages come. What waits is lost."""
        self._frame(_DATA, _END_STREAM, _STREAM, b"")

    def data_to_send(self) -> bytearray:
        """Takes the bytes for the socket."""
        out, self._out = self._out, bytearray()
        return out

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Takes bytes off the socket and gives the messages that are complete.

        Raises:
            ValueError: the server does something that is not implemented here.
        """
        self._received += data
        while len(self._received) >= _FRAME_HEAD.size:
            length = int.from_bytes(self._received[:3], "big")
            if len(self._received) < _FRAME_HEAD.size + length:
                return
            _, kind, flags, stream = _FRAME_HEAD.unpack_from(self._received)
            payload = bytes(self._received[_FRAME_HEAD.size : _FRAME_HEAD.size + length])
            del self._received[: _FRAME_HEAD.size + length]
            yield from self._on_frame(kind, flags, stream, payload)

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> Iterator[bytes]:
        if kind == _DATA:
            if flags & _PADDED:
                raise ValueError("a padded DATA frame came; the load generator takes none")
            self._messages += payload
            yield from self._take_messages()
        elif kind == _SETTINGS and not flags & _ACK:
            self._on_settings(payload)
        elif kind == _PING and not flags & _ACK:
            self._frame(_PING, _ACK, 0, payload)
        elif kind == _WINDOW_UPDATE and stream in self._window:
            self._window[stream] += int.from_bytes(payload, "big")
            self._push()
        if kind in (_RST_STREAM, _GOAWAY) or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self.ended = True

    def _take_messages(self) -> Iterator[bytes]:
        while len(self._messages) >= _GRPC_PREFIX.size:
            _, length = _GRPC_PREFIX.unpack_from(self._messages)
            end = _GRPC_PREFIX.size + length
            if len(self._messages) < end:
                return
            message = bytes(self._messages[_GRPC_PREFIX.size : end])
            del self._messages[:end]
            yield message

    def _on_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", payload):
            if name == _INITIAL_WINDOW_SIZE:
                self._window[_STREAM] += value - self._initial_window
                self._initial_window = value
            elif name == _MAX_FRAME_SIZE:
                self._max_frame = value
        self._started = True
        self._frame(_SETTINGS, _ACK, 0, b"")
        self._push()

    def _push(self) -> None:
        """Sends as much of what waits as both windows allow."""
        del self._waiting[: self._send_some(self._waiting)]

    def _send_some(self, data: bytes | bytearray) -> int:
        """Sends as much of ``data`` as both windows allow, and tells how much."""
        room = min(len(data), *self._window.values())
        if room <= 0:
            return 0
        for stream in self._window:
            self._window[stream] -= room
        with memoryview(data) as view:
            for begin in range(0, room, self._max_frame):
                self._frame(_DATA, 0, _STREAM, view[begin : min(begin + self._max_frame, room)])
        return room

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes | memoryview) -> None:
        self._out += _FRAME_HEAD.pack(len(payload).to_bytes(3, "big"), kind, flags, stream)
        self._out += payload


def _field(name: str, value: str) -> bytes:
    """A header as HPACK's literal without indexing (RFC 7541, 6.2.2), below 127 bytes each."""
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))
