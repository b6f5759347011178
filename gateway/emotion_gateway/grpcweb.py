"""gRPC-Web over WebSocket as a pure object: messages in, events and bytes out.

The format that browsers' gRPC-Web clients speak (subprotocol ``grpc-websockets``). From the
client: one binary message with the header block (``name: value`` lines), then binary messages
that begin with 0x00 and carry gRPC-Web frames, or are the single byte 0x01: no more requests.
From the server: gRPC-Web frames, headers and trailers among them. A gRPC-Web frame is a flag
byte (0x80 for headers and trailers), a big-endian 32-bit length, and the payload.
"""

import struct
from dataclasses import dataclass
from urllib.parse import quote

_FRAME = struct.Struct(">BI")
_DATA = 0x00
_METADATA = 0x80
_MAX_HEADER_BLOCK = 16 * 1024


class ProtocolError(Exception):
    """The client broke the format; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Headers:
    """The header block: names in lower case."""

    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """One serialized request."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HalfClose:
    """The client sends no more requests."""


Event = Headers | Message | HalfClose


class ServerConnection:
    """The server's side of one call.

    Args:
        max_message_bytes: largest request; the buffer never grows beyond it.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self._max = max_message_bytes
        self._buffer = bytearray()
        self._headers_seen = False
        self._closed = False

    def receive(self, message: bytes | str) -> list[Event]:
        """Takes one WebSocket message.

        Raises:
            ProtocolError: it is not what the format asks for; the connection is then useless.
        """
        if isinstance(message, str):
            raise ProtocolError("a text message came; expected binary messages only")
        if self._closed:
            raise ProtocolError("a message came after the half-close")
        if not self._headers_seen:
            self._headers_seen = True
            return [Headers(_parse_header_block(message))]
        if message == b"\x01":
            if self._buffer:
                raise ProtocolError("the half-close came in the middle of a request")
            self._closed = True
            return [HalfClose()]
        if message[:1] != b"\x00":
            raise ProtocolError("a message must begin with byte 0 (requests) or be byte 1 alone")
        return self._frames(memoryview(message)[1:])

    def _frames(self, data: memoryview) -> list[Event]:
        if self._buffer:
            self._buffer += data
            data = memoryview(bytes(self._buffer))
            self._buffer.clear()
        events: list[Event] = []
        while len(data) >= _FRAME.size:
            flag, length = _FRAME.unpack_from(data)
            if flag != _DATA:
                raise ProtocolError(f"a request frame has flag {flag:#04x}; expected 0x00")
            if length > self._max:
                raise ProtocolError(
                    f"a request has {length:,} bytes; at most {self._max:,} are taken"
                )
            if len(data) < _FRAME.size + length:
                break
            events.append(Message(bytes(data[_FRAME.size : _FRAME.size + length])))
            data = data[_FRAME.size + length :]
        self._buffer += data
        return events


def _parse_header_block(block: bytes) -> dict[str, str]:
    if len(block) > _MAX_HEADER_BLOCK:
        raise ProtocolError(
            f"the header block has {len(block):,} bytes; at most {_MAX_HEADER_BLOCK:,} are taken"
        )
    try:
        text = block.decode("ascii")
    except UnicodeDecodeError:
        text = "\0"
    metadata = {}
    for line in filter(None, text.split("\r\n")):
        name, colon, value = line.partition(":")
        if not (colon and name.strip() and (name + value).replace("\t", " ").isprintable()):
            raise ProtocolError("the first message is not a block of 'name: value' lines in ASCII")
        metadata[name.strip().lower()] = value.strip()
    return metadata


def message_frame(data: bytes) -> bytes:
    """A response message as a gRPC-Web frame."""
    return _FRAME.pack(_DATA, len(data)) + data


def headers_frame() -> bytes:
    """The response's headers as a gRPC-Web frame."""
    return _metadata_frame("content-type: application/grpc-web+proto\r\n")


def trailers_frame(code: int, message: str = "") -> bytes:
    """The final status as a gRPC-Web frame; the message is percent-encoded as gRPC asks."""
    lines = f"grpc-status: {code}\r\n"
    if message:
        lines += f"grpc-message: {quote(message, safe=' !#$&()*+,-./:;<=>?@[]^_`{|}~')}\r\n"
    return _metadata_frame(lines)


def _metadata_frame(lines: str) -> bytes:
    payload = lines.encode("ascii")
    return _FRAME.pack(_METADATA, len(payload)) + payload
