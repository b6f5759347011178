"""The load generator's two wires against real servers of other people's making."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from emotion_gateway import grpcweb
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.http2 import GrpcStream
from benchmarks.websocket import WebSocketStream

PATH = "/test.v1.EchoService/Echo"
Stream = GrpcStream | WebSocketStream
MESSAGES = [b"", b"small", bytes(range(256)) * 160, b"x" * 900_000]


async def exchange(stream: Stream, port: int, messages: list[bytes], *, end: bool) -> list[bytes]:
    """Sends each message when there is room for it; then reads until all are echoed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    waiting, echoed = list(messages), []
    async with asyncio.timeout(10):
        while len(echoed) < len(messages) or (end and not stream.ended):
            while waiting and stream.can_send:
                stream.send(waiting.pop(0))
                if end and not waiting:
                    stream.end()
            writer.writelines(stream.data_to_send())
            if data := await reader.read(65536):
                echoed += stream.receive(data)
            else:
                break
    writer.close()
    return echoed


@pytest.fixture
async def grpc_port() -> AsyncIterator[int]:
    async def echo(
        requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        del context
        async for request in requests:
            yield request

    server = grpc.aio.server()
    handler = grpc.stream_stream_rpc_method_handler(echo)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("test.v1.EchoService", {"Echo": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(None)


@pytest.fixture
async def websocket_port() -> AsyncIterator[int]:
    async def echo(connection: ServerConnection) -> None:
        protocol = grpcweb.ServerConnection(1 << 20)
        async for message in connection:
            for event in protocol.receive(message):
                if isinstance(event, grpcweb.Message):
                    await connection.send(grpcweb.message_frame(event.data))
                elif isinstance(event, grpcweb.HalfClose):
                    await connection.send(grpcweb.trailers_frame(0))
                    return

    async with serve(echo, "127.0.0.1", 0, subprotocols=["grpc-websockets"]) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def test_grpc_messages_of_all_sizes_come_back(grpc_port: int) -> None:
    stream = GrpcStream(f"127.0.0.1:{grpc_port}", PATH)
    assert not stream.can_send
    assert await exchange(stream, grpc_port, MESSAGES, end=True) == MESSAGES
    assert stream.ended


async def test_more_than_the_servers_window_goes_through(grpc_port: int) -> None:
    messages = [b"y" * 40_000] * 50
    stream = GrpcStream(f"127.0.0.1:{grpc_port}", PATH)
    assert await exchange(stream, grpc_port, messages, end=True) == messages


async def test_websocket_messages_of_all_sizes_come_back(websocket_port: int) -> None:
    stream = WebSocketStream(f"127.0.0.1:{websocket_port}", PATH)
    assert not stream.can_send
    assert await exchange(stream, websocket_port, MESSAGES, end=True) == MESSAGES
    assert stream.ended


def test_bytes_may_come_one_by_one() -> None:
    stream = GrpcStream("localhost:1", PATH)
    settings = b"\0\0\0\x04\0\0\0\0\0"
    message = b"\0\0\x0a\0\0\0\0\0\1" + b"\0\0\0\0\5hello"
    got = [m for byte in settings + message for m in stream.receive(bytes([byte]))]
    assert got == [b"hello"]


def test_a_server_that_goes_away_ends_the_stream() -> None:
    stream = GrpcStream("localhost:1", PATH)
    list(stream.receive(b"\0\0\x08\x07\0\0\0\0\0" + bytes(8)))  # GOAWAY
    assert stream.ended
    assert not stream.can_send


def test_pings_are_answered() -> None:
    stream = GrpcStream("localhost:1", PATH)
    stream.data_to_send()
    list(stream.receive(b"\0\0\x08\x06\0\0\0\0\0" + b"12345678"))
    assert b"".join(stream.data_to_send()) == b"\0\0\x08\x06\1\0\0\0\0" + b"12345678"
