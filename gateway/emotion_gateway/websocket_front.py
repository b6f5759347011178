"""The browsers' front: the same calls as gRPC-Web over WebSocket."""

import asyncio
import http
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

from emotion.v1 import emotion_pb2
from emotion_serving import InvalidArgument, ServiceError
from emotion_serving.errors import status_of
from google.protobuf.message import DecodeError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from emotion_gateway import grpcweb
from emotion_gateway.grpc_front import SERVICE
from emotion_gateway.streams import Streams

_log = logging.getLogger(__name__)

SUBPROTOCOL = Subprotocol("grpc-websockets")
GOING_AWAY = 1001
_HEADER_SECONDS = 10


class WebSocketFront:
    """A WebSocket server for ``EmotionService``.

    Args:
        streams: serves the calls.
        max_message_bytes: largest request, equal to the gRPC server's.
        allowed_origins: pages that may connect besides those of this very host: a regular
            expression for the whole ``Origin`` header, e.g. ``https://.*\\.example\\.org``.
    """

    def __init__(self, streams: Streams, max_message_bytes: int, allowed_origins: str) -> None:
        self._streams = streams
        self._max_message_bytes = max_message_bytes
        self._allowed_origins = re.compile(allowed_origins)
        self._server: Server | None = None
        self._methods: dict[str, Callable[[ServerConnection, _Call], Awaitable[None]]] = {
            f"/{SERVICE}/StreamRecognize": self._stream_recognize,
            f"/{SERVICE}/Recognize": self._recognize,
        }

    async def start(self, host: str, port: int) -> int:
        """Opens the port and returns its number.

        Raises:
            OSError: the port is taken or the address is not ours.
        """
        self._server = await serve(
            self._handle,
            host,
            port,
            subprotocols=[SUBPROTOCOL],
            process_request=self._check_request,
            # One byte before the gRPC-Web frame's five.
            max_size=self._max_message_bytes + 6,
            max_queue=2,
            write_limit=65536,
            compression=None,  # pictures do not get smaller
            ping_interval=20,
            ping_timeout=20,
            close_timeout=5,
            server_header=None,
        )
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def stop(self) -> None:
        """Closes what is still open with 1001, so that clients connect elsewhere."""
        if self._server is not None:
            self._server.close(code=GOING_AWAY, reason="the gateway is stopping")
            await self._server.wait_closed()

    def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuses unknown paths and other people's pages (WebSocket is outside CORS)."""
        if urlsplit(request.path).path not in self._methods:
            return connection.respond(
                http.HTTPStatus.NOT_FOUND, f"no such method; expected one of {[*self._methods]}\n"
            )
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_allowed(origin, request.headers.get("Host", "")):
            return connection.respond(
                http.HTTPStatus.FORBIDDEN,
                f"pages of {origin} may not connect; see the gateway's --allowed-origins\n",
            )
        return None

    def _is_allowed(self, origin: str, host: str) -> bool:
        same_host = urlsplit(origin).netloc.lower() == host.lower() != ""
        return same_host or self._allowed_origins.fullmatch(origin) is not None

    async def _handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        method = self._methods[urlsplit(connection.request.path).path]
        status = 0, ""
        try:
            call = _Call(connection, self._max_message_bytes)
            await call.begin()
            await method(connection, call)
        except grpcweb.ProtocolError as error:
            status = InvalidArgument.code.value[0], str(error)
        except ConnectionClosed:
            return
        except Exception as error:
            code, message = status_of(error)
            status = code.value[0], message
            if isinstance(error, ServiceError):
                _log.debug("stream ended", extra={"status": code.name, "reason": message})
        await self._end(connection, *status)

    async def _end(self, connection: ServerConnection, code: int, message: str) -> None:
        stopping = self._streams.draining
        try:
            await connection.send(grpcweb.trailers_frame(code, message))
            await connection.close(GOING_AWAY if stopping else 1000)
        except ConnectionClosed:
            pass

    async def _stream_recognize(self, connection: ServerConnection, call: "_Call") -> None:
        async def write(reply: emotion_pb2.StreamRecognizeResponse) -> None:
            await connection.send(grpcweb.message_frame(reply.SerializeToString()))

        await self._streams.serve_stream(call.requests(), write)

    async def _recognize(self, connection: ServerConnection, call: "_Call") -> None:
        async for data in call.requests():
            try:
                request = emotion_pb2.RecognizeRequest.FromString(data)
            except DecodeError:
                raise InvalidArgument("the message is not a RecognizeRequest") from None
            reply = await self._streams.recognize(request)
            await connection.send(grpcweb.message_frame(reply.SerializeToString()))
            return
        raise InvalidArgument("no request came before the half-close; expected one")


class _Call:
    """The requests of one call, taken off a WebSocket."""

    def __init__(self, connection: ServerConnection, max_message_bytes: int) -> None:
        self._connection = connection
        self._protocol = grpcweb.ServerConnection(max_message_bytes)

    async def begin(self) -> None:
        """Reads the header block and answers with the response's headers."""
        if self._connection.subprotocol != SUBPROTOCOL:
            raise grpcweb.ProtocolError(f"expected the WebSocket subprotocol {SUBPROTOCOL}")
        try:
            async with asyncio.timeout(_HEADER_SECONDS):
                self._protocol.receive(await self._connection.recv())
        except TimeoutError:
            raise grpcweb.ProtocolError(
                f"no header block came within {_HEADER_SECONDS} s"
            ) from None
        await self._connection.send(grpcweb.headers_frame())

    async def requests(self) -> AsyncIterator[bytes]:
        """The serialized requests until the half-close or the end of the connection."""
        async for message in self._connection:
            for event in self._protocol.receive(message):
                if isinstance(event, grpcweb.Message):
                    yield event.data
                elif isinstance(event, grpcweb.HalfClose):
                    return
