"""The server shell: errors become statuses, health tells the truth, stopping drains."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import psutil
import pytest
from emotion_serving import (
    FailedPrecondition,
    GrpcServer,
    GrpcSettings,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    ServiceError,
    Unavailable,
)
from grpc_health.v1 import health_pb2, health_pb2_grpc

Unary = Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]
SERVICE = "kitchen.Oven"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def oven(
    bake: Unary | None = None,
    stream: Callable[..., Awaitable[None]] | None = None,
    **settings: float,
) -> AsyncIterator[tuple[GrpcServer, grpc.aio.Channel]]:
    """A server with a unary and a streaming method, and a channel to it."""
    server = GrpcServer(GrpcSettings(**settings), [SERVICE])  # type: ignore[arg-type]
    handlers = {}
    if bake is not None:
        handlers["Bake"] = grpc.unary_unary_rpc_method_handler(bake)
    if stream is not None:
        handlers["Stream"] = grpc.stream_stream_rpc_method_handler(stream)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(20):
        try:
            yield server, channel
        finally:
            await server.stop()


async def status(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code(), error.value.details() or ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidArgument("too hot"), grpc.StatusCode.INVALID_ARGUMENT),
        (NotFound("too hot"), grpc.StatusCode.NOT_FOUND),
        (FailedPrecondition("too hot"), grpc.StatusCode.FAILED_PRECONDITION),
        (ResourceExhausted("too hot"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (Unavailable("too hot"), grpc.StatusCode.UNAVAILABLE),
        (ServiceError("too hot"), grpc.StatusCode.INTERNAL),
    ],
)
async def test_a_typed_error_becomes_its_status(error: ServiceError, code: grpc.StatusCode) -> None:
    async def bake(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        raise error

    async def stream(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:  # noqa: ARG001
        await context.write(b"half")
        raise error

    async with oven(bake, stream) as (_, channel):
        assert await status(channel.unary_unary(f"/{SERVICE}/Bake")(b"")) == (code, "too hot")
        call = channel.stream_stream(f"/{SERVICE}/Stream")()
        assert await call.read() == b"half"
        assert await status(call.read()) == (code, "too hot")


async def test_an_unexpected_error_is_internal_and_its_details_stay_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def bake(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        raise ValueError("the secret recipe")

    async with oven(bake) as (_, channel):
        code, details = await status(channel.unary_unary(f"/{SERVICE}/Bake")(b""))
    assert code == grpc.StatusCode.INTERNAL
    assert "secret" not in details
    assert "the secret recipe" in caplog.text


async def test_an_abort_of_the_handler_itself_is_left_alone() -> None:
    async def bake(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        await context.abort(grpc.StatusCode.DATA_LOSS, "crumbs")
        raise AssertionError

    async with oven(bake) as (_, channel):
        answer = await status(channel.unary_unary(f"/{SERVICE}/Bake")(b""))
    assert answer == (grpc.StatusCode.DATA_LOSS, "crumbs")


async def test_a_client_that_cancels_cancels_the_handler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    running, cancelled = asyncio.Event(), asyncio.Event()

    async def stream(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:  # noqa: ARG001
        running.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with oven(stream=stream) as (_, channel):
        call = channel.stream_stream(f"/{SERVICE}/Stream")()
        await running.wait()
        call.cancel()
        await cancelled.wait()
    assert caplog.text == ""


async def test_an_error_for_a_client_that_is_gone_is_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A client that reads nothing keeps the status from being sent until it goes away."""
    stuck = asyncio.Event()

    async def stream(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:  # noqa: ARG001
        try:
            async with asyncio.timeout(0.2):
                while True:
                    await context.write(bytes(100_000))
        except TimeoutError:
            stuck.set()
            raise ResourceExhausted("nothing is read") from None

    async with oven(stream=stream) as (_, channel):
        call = channel.stream_stream(f"/{SERVICE}/Stream")()
        await stuck.wait()
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.sleep(0.2)
    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == []


async def test_health_is_not_serving_until_told_and_while_draining() -> None:
    async with oven() as (server, channel):
        stub = health_pb2_grpc.HealthStub(channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == NOT_SERVING
        await server.set_serving(True)
        assert (await watch.read()).status == SERVING
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE))
        assert answer.status == SERVING
        draining = asyncio.create_task(server.drain())
        assert (await watch.read()).status == NOT_SERVING
        await draining


async def test_a_drain_lets_calls_end_and_does_not_wait_for_watchers_of_health() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def bake(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        started.set()
        await release.wait()
        return b"bread"

    async with oven(bake, drain_seconds=600) as (server, channel):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        call = channel.unary_unary(f"/{SERVICE}/Bake")(b"")
        await started.wait()
        draining = asyncio.create_task(server.drain())
        await asyncio.sleep(0.1)
        assert not draining.done()
        late = channel.unary_unary(f"/{SERVICE}/Bake")(b"", timeout=5)
        assert (await status(late))[0] == grpc.StatusCode.UNAVAILABLE
        release.set()
        assert await call == b"bread"
        await draining


async def test_a_drain_breaks_off_what_takes_too_long() -> None:
    started = asyncio.Event()

    async def bake(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        started.set()
        await asyncio.sleep(600)
        raise AssertionError

    async with oven(bake, drain_seconds=0.2) as (server, channel):
        call = channel.unary_unary(f"/{SERVICE}/Bake")(b"")
        await started.wait()
        await server.drain()
        assert (await status(call))[0] in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        )


async def test_a_taken_port_is_an_os_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}: the port is taken"):
            await GrpcServer(GrpcSettings(port=port), [SERVICE]).start()


async def test_two_servers_cannot_share_a_port() -> None:
    async with oven() as (server, _):
        first = await GrpcServer(GrpcSettings(port=0), [SERVICE]).start()
        with pytest.raises(OSError, match="taken"):
            await GrpcServer(GrpcSettings(port=first), [SERVICE]).start()
        assert server is not None


async def test_a_unix_socket_takes_the_place_of_the_port_and_of_one_left_over(
    tmp_path: Path,
) -> None:
    path = tmp_path / "oven"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    server = GrpcServer(GrpcSettings(unix_socket=str(path)), [SERVICE])
    assert await server.start() == 0
    await server.set_serving(True)
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert answer.status == SERVING
    assert all(each.status != "LISTEN" for each in psutil.Process().net_connections("tcp"))
    await server.stop()


@pytest.mark.parametrize("name", ["missing/oven", "o" * 108])
async def test_a_unix_socket_that_cannot_be_is_an_os_error_that_names_it(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    with pytest.raises(OSError, match=f"unix:{path}: its folder is not ours or missing, or its"):
        await GrpcServer(GrpcSettings(unix_socket=str(path)), [SERVICE]).start()


async def test_clients_connect_anew_after_the_connection_age_and_lose_no_call() -> None:
    """Each connection has an address of its own, which tells them apart."""
    peers = set()

    async def bake(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        peers.add(context.peer())
        await asyncio.sleep(0.05)
        return request

    async with oven(bake, max_connection_age_seconds=0.3) as (_, channel):
        call = channel.unary_unary(f"/{SERVICE}/Bake")
        while len(peers) < 3:
            assert await asyncio.gather(*(call(b"bread") for _ in range(5))) == [b"bread"] * 5


async def test_a_stream_outlives_the_connection_age() -> None:
    async def stream(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> None:
        async for request in requests:
            await context.write(request)

    async with oven(stream=stream, max_connection_age_seconds=0.1) as (_, channel):
        call = channel.stream_stream(f"/{SERVICE}/Stream")()
        for _ in range(10):
            await call.write(b"dough")
            assert await call.read() == b"dough"
            await asyncio.sleep(0.1)


async def test_connections_live_on_by_default() -> None:
    peers = set()

    async def bake(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        peers.add(context.peer())
        return request

    async with oven(bake) as (_, channel):
        for _ in range(5):
            await channel.unary_unary(f"/{SERVICE}/Bake")(b"bread")
            await asyncio.sleep(0.1)
    assert len(peers) == 1


@pytest.mark.parametrize(("experiments", "known"), [(None, True), ("no_such_thing", False)])
def test_grpc_knows_the_experiments_that_are_switched(experiments: str | None, known: bool) -> None:
    start = "import emotion_serving, grpc; grpc.insecure_channel('127.0.0.1:1')"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GRPC_")}
    found = subprocess.run(
        [sys.executable, "-c", start],
        env=plain | ({"GRPC_EXPERIMENTS": experiments} if experiments else {}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ("Unknown experiment" in found.stderr) is not known, found.stderr
