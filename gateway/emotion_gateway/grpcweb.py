"""gRPC-Web over WebSocket as a pure object: messages in, events and bytes out.

The format that browsers' gRPC-Web clients speak (subprotocol ``grpc-websockets``). From the
client: one binary message with the header block (``name: value`` lines), then binary messages
that begin with 0x00 and carry gRPC-Web frames, or are the single byte 0x01: no more requests.
From the server: gRPC-Web frames, headers and trailers among them. A gRPC-Web frame is a flag
byte (0x80 for headers and trailers), a big-endian 32-bit length, and the payload.
"""

import struct
from collections.abc import Iterator
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
        max_message_bytes: largest request; no more than it and one message are ever kept.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self._max = max_message_bytes
        self._buffer = bytearray()
        self._headers_seen = False
        self._closed = False

    @property
    def buffered(self) -> int:
        """Bytes of a request whose end has not come yet."""
        return len(self._buffer)

    def receive(self, message: bytes | str) -> Iterator[Event]:
        """Takes one WebSocket message and gives its events one by one, so that a message full
        of tiny requests is never held as many objects. Use them up before the next message.

        Raises:
            ProtocolError: it is not what the format asks for; the connection is then useless.
        """
        if isinstance(message, str):
            raise ProtocolError("a text message came; expected binary messages only")
        if self._closed:
            raise ProtocolError("a message came after the half-close")
        if not self._headers_seen:
            self._headers_seen = True
            yield Headers(_parse_header_block(message))
        elif message == b"\x01":
            if self._buffer:
                raise ProtocolError("the half-close came in the middle of a request")
            self._closed = True
            yield HalfClose()
        elif message[:1] == b"\x00":
            self._buffer += memoryview(message)[1:]
            yield from self._requests()
        else:
            raise ProtocolError("a message must begin with byte 0 (requests) or be byte 1 alone")

    def _requests(self) -> Iterator[Message]:
        """Takes whole requests off the buffer; cutting a bytearray's head copies nothing."""
        while len(self._buffer) >= _FRAME.size:
            flag, length = _FRAME.unpack_from(self._buffer)
            if flag != _DATA:
                raise ProtocolError(f"a request frame has flag {flag:#04x}; expected 0x00")
            if length > self._max:
                raise ProtocolError(
                    f"a request has {length:,} bytes; at most {self._max:,} are taken"
                )
            end = _FRAME.size + length
            if len(self._buffer) < end:
                return
            data = bytes(memoryview(self._buffer)[_FRAME.size : end])
            del self._buffer[:end]
            yield Message(data)


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
