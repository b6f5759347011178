"""One gRPC stream over HTTP/2 as a pure client: bytes in, messages and bytes out.

A load generator shares the machine with what it measures, so a frame must cost it little: this
is the part of RFC 9113 that one long stream on a connection of its own needs. Response headers
are not decoded; a stream that ends early shows as ``ended``.
"""

import struct
from collections import deque

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_ENABLE_PUSH, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 2, 4, 5
_STREAM = 1
_LARGEST_WINDOW = 2**31 - 1
_DEFAULT_WINDOW = 65_535
_FRAME_HEAD = struct.Struct(">BHBBI")  # length (8 and 16 bits), type, flags, stream
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
        self._data = bytearray()
        self._messages: list[bytes] = []
        self._out: list[bytes | memoryview] = [_PREFACE]
        self._started = False
        self._waiting: deque[bytes | memoryview] = deque()
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

    def send(self, *parts: bytes) -> None:
        """Sends a message, given in parts; what the server has no room for yet waits here."""
        self._waiting.append(_GRPC_PREFIX.pack(0, sum(map(len, parts))))
        self._waiting += map(memoryview, parts)
        self._push()

    def end(self) -> None:
        """Half-closes: no more messages come. What waits is lost."""
        self._frame(_DATA, _END_STREAM, _STREAM, b"")

    def data_to_send(self) -> list[bytes | memoryview]:
        """Takes the bytes for the socket, in parts, so that messages are not copied."""
        out, self._out = self._out, []
        return out

    def receive(self, data: bytes) -> list[bytes]:
        """Takes bytes off the socket and gives the messages that are complete.

        Raises:
            ValueError: the server does something that is not implemented here.
        """
        received = self._received
        received += data
        begin = 0
        while len(received) >= begin + _FRAME_HEAD.size:
            high, low, kind, flags, stream = _FRAME_HEAD.unpack_from(received, begin)
            end = begin + _FRAME_HEAD.size + (high << 16) + low
            if len(received) < end:
                break
            self._on_frame(kind, flags, stream, received[begin + _FRAME_HEAD.size : end])
            begin = end
        del received[:begin]
        messages, self._messages = self._messages, []
        return messages

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytearray) -> None:
        if kind == _DATA:
            if flags & _PADDED:
                raise ValueError("a padded DATA frame came; the load generator takes none")
            self._data += payload
            self._take_messages()
        elif kind == _SETTINGS and not flags & _ACK:
            self._on_settings(payload)
        elif kind == _PING and not flags & _ACK:
            self._frame(_PING, _ACK, 0, bytes(payload))
        elif kind == _WINDOW_UPDATE and stream in self._window:
            self._window[stream] += int.from_bytes(payload, "big")
            self._push()
        if kind in (_RST_STREAM, _GOAWAY) or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self.ended = True

    def _take_messages(self) -> None:
        while len(self._data) >= _GRPC_PREFIX.size:
            _, length = _GRPC_PREFIX.unpack_from(self._data)
            end = _GRPC_PREFIX.size + length
            if len(self._data) < end:
                return
            self._messages.append(bytes(self._data[_GRPC_PREFIX.size : end]))
            del self._data[:end]

    def _on_settings(self, payload: bytearray) -> None:
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
        waiting, window = self._waiting, self._window
        while waiting and (room := min(self._max_frame, *window.values())) > 0:
            payload = []
            length = 0
            while waiting and length < room:
                part = waiting.popleft()
                if len(part) > room - length:
                    waiting.appendleft(part[room - length :])
                    part = part[: room - length]
                payload.append(part)
                length += len(part)
            for stream in window:
                window[stream] -= length
            self._frame(_DATA, 0, _STREAM, *payload)

    def _frame(self, kind: int, flags: int, stream: int, *payload: bytes | memoryview) -> None:
        high, low = divmod(sum(map(len, payload)), 1 << 16)
        self._out.append(_FRAME_HEAD.pack(high, low, kind, flags, stream))
        self._out += payload


def _field(name: str, value: str) -> bytes:
    """A header as HPACK's literal without indexing (RFC 7541, 6.2.2), below 127 bytes each."""
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))
