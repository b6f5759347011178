"""One gRPC-Web stream over WebSocket as a pure client, as browsers speak it.

The framing is websockets' own protocol object; the messages are those of the subprotocol
``grpc-websockets``: a header block, then ``0x00`` and a gRPC-Web frame for each request.
"""

import struct
from collections.abc import Iterator, Sequence

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

_FRAME = struct.Struct(">BI")
_DATA = 0x00
_HEADER_BLOCK = b"content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n"
_MAX_REPLY_BYTES = 1 << 20


class WebSocketStream:
    """A bidirectional call of one method.

    Args:
        authority: host and port.
        path: of the method, e.g. ``/emotion.v1.EmotionService/StreamRecognize``.
    """

    def __init__(self, authority: str, path: str) -> None:
        self._protocol = ClientProtocol(
            parse_uri(f"ws://{authority}{path}"),
            subprotocols=[Subprotocol("grpc-websockets")],
            max_size=_MAX_REPLY_BYTES,
        )
        self._protocol.send_request(self._protocol.connect())
        self._started = False

    @property
    def ended(self) -> bool:
        """Whether the server has ended the stream or the connection."""
        return self._protocol.state in (State.CLOSING, State.CLOSED)

    @property
    def can_send(self) -> bool:
        """Whether the connection is open; WebSocket has no window of its own."""
        return self._started and not self.ended

    def send(self, *parts: bytes) -> None:
        """Sends a message, given in parts."""
        head = b"\0" + _FRAME.pack(_DATA, sum(map(len, parts)))
        self._protocol.send_binary(b"".join((head, *parts)))

    def end(self) -> None:
        """Half-closes: no more messages come."""
        self._protocol.send_binary(b"\1")

    def data_to_send(self) -> Sequence[bytes | memoryview]:
        """Takes the bytes for the socket."""
        return self._protocol.data_to_send()

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Takes bytes off the socket and gives the messages that are complete.

        Raises:
            ValueError: the server refused the connection.
        """
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                if self._protocol.handshake_exc is not None:
                    raise ValueError(f"no WebSocket: {self._protocol.handshake_exc}")
                self._protocol.send_binary(_HEADER_BLOCK)
                self._started = True
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                flag, length = _FRAME.unpack_from(event.data)
                if flag == _DATA:
                    yield bytes(event.data[_FRAME.size : _FRAME.size + length])
