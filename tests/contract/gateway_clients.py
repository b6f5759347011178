"""Clients of the gateway on the wire: native gRPC, and gRPC-Web over WebSocket in raw frames."""

import struct
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import unquote

import grpc
from emotion.v1 import emotion_pb2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State
from websockets.typing import Subprotocol

STREAM = "/emotion.v1.EmotionService/StreamRecognize"
RECOGNIZE = "/emotion.v1.EmotionService/Recognize"
SUBPROTOCOLS = [Subprotocol("grpc-websockets")]
HEADERS = b"content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n"
Reply = emotion_pb2.StreamRecognizeResponse


def framed(data: bytes) -> bytes:
    """A request as a browser sends it: byte 0 and a gRPC-Web frame."""
    return b"\x00" + struct.pack(">BI", 0, len(data)) + data


class Stream(Protocol):
    """One ``StreamRecognize`` call."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def send(self, data: bytes) -> None:
        """Sends a serialized request."""

    async def half_close(self) -> None:
        """Says that there are no more requests."""

    async def reply(self) -> Reply | None:
        """The next reply, or None at the end."""

    async def status(self) -> tuple[int, str]:
        """The gRPC status after the end."""


class NativeStream:
    """A stream over native gRPC, on a connection of its own."""

    def __init__(self, address: str) -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.aio.insecure_channel(address, options=options)
        self._call = self._channel.stream_stream(STREAM, response_deserializer=Reply.FromString)()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._channel.close()

    async def send(self, data: bytes) -> None:
        await self._call.write(data)

    async def half_close(self) -> None:
        await self._call.done_writing()

    async def reply(self) -> Reply | None:
        try:
            reply = await self._call.read()
        except grpc.aio.AioRpcError:
            return None
        return None if reply is grpc.aio.EOF else reply

    async def status(self) -> tuple[int, str]:
        return (await self._call.code()).value[0], await self._call.details() or ""


class BrowserStream:
    """A call over WebSocket, as a browser makes it.

    Args:
        address: host and port of the gateway's WebSocket front.
        path: the method.
        headers: the header block, sent first; None sends none.
        options: further arguments of ``websockets.connect``.
    """

    def __init__(
        self,
        address: str,
        path: str = STREAM,
        headers: bytes | None = HEADERS,
        **options: object,
    ) -> None:
        settings: dict[str, object] = {"subprotocols": SUBPROTOCOLS, "compression": None}
        self._connecting = connect(f"ws://{address}{path}", **(settings | options))
        self._headers = headers
        self.socket: ClientConnection
        self.frames: list[tuple[int, bytes]] = []
        self.close_code: int | None = None

    async def __aenter__(self) -> Self:
        self.socket = await self._connecting
        if self._headers is not None:
            await self.socket.send(self._headers)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.socket.state is State.OPEN:
            await self.socket.close()

    async def send(self, data: bytes) -> None:
        await self.socket.send(framed(data))

    async def half_close(self) -> None:
        await self.socket.send(b"\x01")

    async def frame(self) -> tuple[int, bytes] | None:
        """Flag and payload of the next frame of the server, or None at the end."""
        try:
            message = await self.socket.recv()
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else None
            return None
        assert isinstance(message, bytes)
        flag, length = struct.unpack_from(">BI", message)
        assert len(message) == 5 + length, "one whole frame a message"
        self.frames.append((flag, message[5:]))
        return self.frames[-1]

    async def message(self) -> bytes | None:
        """The next response message, or None at the end."""
        while (frame := await self.frame()) is not None:
            if frame[0] == 0:
                return frame[1]
        return None

    async def reply(self) -> Reply | None:
        data = await self.message()
        return None if data is None else Reply.FromString(data)

    async def status(self) -> tuple[int, str]:
        while await self.frame() is not None:
            pass
        flag, trailers = self.frames[-1]
        assert flag == 0x80
        lines = dict(line.split(": ", 1) for line in trailers.decode().split("\r\n") if line)
        return int(lines["grpc-status"]), unquote(lines.get("grpc-message", ""))
