"""The browsers' front: the same calls as gRPC-Web over WebSocket."""

import asyncio
import http
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from functools import partial

from emotion.v1 import emotion_pb2
from emotion_serving import InvalidArgument, ServiceError
from emotion_serving.errors import status_of
from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
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
_REQUEST_SECONDS = 30
_CLOSE_SECONDS = 5


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
        self._connections: set[ServerConnection] = set()
        self._methods: dict[str, Callable[[ServerConnection, _Call], Awaitable[None]]] = {
            f"/{SERVICE}/StreamRecognize": self._stream_recognize,
            f"/{SERVICE}/Recognize": self._recognize,
        }

    async def start(self, host: str, port: int, unix_socket: str = "") -> int:
        """Opens the port and returns its number; 0 where it is a Unix socket.

        Raises:
            OSError: the port is taken, or the address or the socket's folder is not ours.
        """
        listen = (
            partial(unix_serve, self._handle, unix_socket)
            if unix_socket
            else partial(serve, self._handle, host, port)
        )
        self._server = await listen(
            subprotocols=[SUBPROTOCOL],
            process_request=self._check_request,
            # One byte before the gRPC-Web frame's five.
            max_size=self._max_message_bytes + 6,
            max_queue=2,
            write_limit=65536,
            compression=None,  # pictures do not get smaller
            ping_interval=20,
            ping_timeout=20,
            close_timeout=_CLOSE_SECONDS,
            server_header=None,
        )
        return 0 if unix_socket else int(next(iter(self._server.sockets)).getsockname()[1])

    async def stop(self) -> None:
        """Closes what is still open with 1001, so that clients connect elsewhere; cuts off who
        does not take it in time."""
        if self._server is None:
            return
        self._server.close(code=GOING_AWAY, reason="the gateway is stopping")
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._server.wait_closed()
        except TimeoutError:
            for connection in self._connections:
                connection.transport.abort()

    def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuses unknown paths and other people's pages (WebSocket is outside CORS)."""
        if _path(request) not in self._methods:
            return connection.respond(
                http.HTTPStatus.NOT_FOUND, f"no such method; expected one of {[*self._methods]}\n"
            )
        hosts = request.headers.get_all("Host")
        for origin in request.headers.get_all("Origin"):
            if not self._is_allowed(origin, hosts):
                return connection.respond(
                    http.HTTPStatus.FORBIDDEN,
                    f"pages of {origin} may not connect; see the gateway's --allowed-origins\n",
                )
        return None

    def _is_allowed(self, origin: str, hosts: list[str]) -> bool:
        _, scheme_ends, origin_host = origin.lower().partition("://")
        same_host = scheme_ends != "" and [origin_host] == [host.lower() for host in hosts]
        return same_host or self._allowed_origins.fullmatch(origin) is not None

    async def _handle(self, connection: ServerConnection) -> None:
        self._connections.add(connection)
        try:
            await self._end(connection, *await self._serve(connection))
        except ConnectionClosed:
            pass
        except TimeoutError:
            connection.transport.abort()
        finally:
            self._connections.discard(connection)

    async def _serve(self, connection: ServerConnection) -> tuple[int, str]:
        """Serves the call and returns its gRPC status code and message."""
        assert connection.request is not None
        method = self._methods[_path(connection.request)]
        try:
            call = _Call(connection, self._max_message_bytes)
            await call.begin()
            await method(connection, call)
        except grpcweb.ProtocolError as error:
            return InvalidArgument.code.value[0], str(error)
        except ConnectionClosed:
            raise
        except Exception as error:
            code, message = status_of(error)
            if isinstance(error, ServiceError):
                _log.debug("stream ended", extra={"status": code.name, "reason": message})
            return code.value[0], message
        return 0, ""

    async def _end(self, connection: ServerConnection, code: int, message: str) -> None:
        """Sends the trailers and closes.

        Raises:
            TimeoutError: the client takes nothing; websockets itself would wait for ever.
        """
        stopping = self._streams.draining
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.send(grpcweb.trailers_frame(code, message))
            async with asyncio.TaskGroup() as tasks:
                # The client's answer to the close comes after all that it sent before.
                tasks.create_task(_discard(connection))
                await connection.close(GOING_AWAY if stopping else 1000)

    async def _stream_recognize(self, connection: ServerConnection, call: "_Call") -> None:
        async def write(reply: emotion_pb2.StreamRecognizeResponse) -> None:
            await connection.send(grpcweb.message_frame(reply.SerializeToString()))

        await self._streams.serve_stream(call.requests(), write)

    async def _recognize(self, connection: ServerConnection, call: "_Call") -> None:
        try:
            # Unlike streams, a call counts as a session only once its request is there.
            async with asyncio.timeout(_REQUEST_SECONDS):
                data = await anext(call.requests(), None)
        except TimeoutError:
            raise InvalidArgument(f"no request came within {_REQUEST_SECONDS} s") from None
        if data is None:
            raise InvalidArgument("no request came before the half-close; expected one")
        reply = await self._streams.recognize(data)
        await connection.send(grpcweb.message_frame(reply.SerializeToString()))


async def _discard(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for _ in connection:
            pass


def _path(request: Request) -> str:
    return request.path.partition("?")[0]


class _Call:
    """The requests of one call, taken off a WebSocket."""

    def __init__(self, connection: ServerConnection, max_message_bytes: int) -> None:
        self._connection = connection
        self._protocol = grpcweb.ServerConnection(max_message_bytes)

    async def begin(self) -> None:
        """Reads the header block and answers with the response's headers."""
        try:
            async with asyncio.timeout(_HEADER_SECONDS):
                first = await self._connection.recv()
        except TimeoutError:
            raise grpcweb.ProtocolError(
                f"no header block came within {_HEADER_SECONDS} s"
            ) from None
        for _ in self._protocol.receive(first):
            pass  # the headers are read by nobody yet
        await self._connection.send(grpcweb.headers_frame())

    async def requests(self) -> AsyncGenerator[bytes, None]:
        """The serialized requests until the half-close or the end of the connection."""
        async for message in self._connection:
            for event in self._protocol.receive(message):
                if isinstance(event, grpcweb.Message):
                    yield event.data
                elif isinstance(event, grpcweb.HalfClose):
                    return
