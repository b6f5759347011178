"""A gRPC server with health, reflection and a draining stop."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

import grpc
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from emotion_serving.errors import Guard
from emotion_serving.settings import GrpcSettings

_log = logging.getLogger(__name__)

_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_HEALTH_SECONDS = 1.0
"""How long health watchers may take to hear that we stop."""


class GrpcServer:
    """A ``grpc.aio`` server that answers grpc.health.v1 (with ``Watch``) and reflection.

    Add servicers to it as to grpcio's own, then ``start``. Health says NOT_SERVING until
    ``set_serving``.

    Args:
        settings: address, limits, how long to drain.
        services: full names of the services, for health and reflection.
    """

    def __init__(self, settings: GrpcSettings, services: Sequence[str]) -> None:
        self._settings = settings
        self._services = ["", *services]
        self._health = HealthServicer()
        self._guard = Guard()
        self._server: grpc.aio.Server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", settings.max_message_bytes),
                # Two servers on one port would silently share its connections.
                ("grpc.so_reuseport", 0),
                # Clients may ping idle connections; the default answers that with GOAWAY
                # "too_many_pings".
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                *_connection_age(settings.max_connection_age_seconds),
            ],
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            [*services, _HEALTH, reflection.SERVICE_NAME], self._server
        )

    def add_generic_rpc_handlers(self, services: Sequence[grpc.GenericRpcHandler]) -> None:
        """Adds services; what their handlers raise becomes a status."""
        self._server.add_generic_rpc_handlers([self._guard.guarded(each) for each in services])

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler]
    ) -> None:
        """Generated code calls it, too; ``grpc.aio`` finds methods by their services."""

    async def start(self) -> int:
        """Opens the port and returns its number; 0 where it is a Unix socket.

        Raises:
            OSError: the port is taken, or the address or the socket's folder is not ours.
        """
        unix_socket = self._settings.unix_socket
        if unix_socket:
            address = f"unix:{unix_socket}"
            reason = "its folder is not ours or missing, or its path has more than 107 bytes"
        else:
            address = f"{self._settings.host}:{self._settings.port}"
            reason = "the port is taken or not ours"
        try:
            port: int = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {reason}") from error
        await self.set_serving(False)
        await self._server.start()
        return 0 if unix_socket else port

    async def set_serving(self, serving: bool) -> None:
        """Tells health checks and watchers whether calls are welcome."""
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if serving
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in self._services:
            await self._health.set(service, status)

    async def stop(self) -> None:
        """Breaks all calls."""
        await self._server.stop(None)

    async def drain(self, end_streams: Callable[[], None] = lambda: None) -> None:
        """Turns health to NOT_SERVING, refuses new calls, lets running ones end in time.

        Args:
            end_streams: called when new calls are refused; asks open streams to end.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_HEALTH_SECONDS):
                await self._health.enter_graceful_shutdown()
        stopped = asyncio.ensure_future(self._server.stop(self._settings.drain_seconds))
        end_streams()
        idle = asyncio.ensure_future(self._guard.idle.wait())
        await asyncio.wait({stopped, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        # Who is left watches our health and would never end by itself.
        await self._server.stop(min(_HEALTH_SECONDS, self._settings.drain_seconds))
        await stopped


def _connection_age(seconds: float) -> list[tuple[str, int]]:
    """grpcio's option, which it varies by 10 %; calls that run then are never cut off."""
    return [("grpc.max_connection_age_ms", max(1, round(seconds * 1000)))] if seconds else []


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Runs a server to its end, on uvloop: asyncio's own loop takes an eighth more of the CPU for
    each message (docs/performance.md)."""
    uvloop.run(serving)


async def run_until_signal(stop: Callable[[], Awaitable[None]]) -> None:
    """Waits for SIGTERM or SIGINT, then runs ``stop`` once; a second signal ends it at once."""
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled.set)
    await signalled.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)
    _log.info("draining")
    await stop()
    _log.info("stopped")
