"""The gateway's load, for Prometheus and the autoscalers that read it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

_PATH = b"/metrics"
_REQUEST_SECONDS = 5.0
_REQUEST_BYTES = 8192

Gauge = tuple[str, str, Callable[[], float]]
"""Name, help text, and what gives the value when it is asked for."""


class MetricsServer:
    """Answers ``GET /metrics`` in Prometheus' text format, and nothing else.

    Args:
        gauges: what is shown.
    """

    def __init__(self, gauges: list[Gauge]) -> None:
        self._gauges = gauges
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Opens the port and returns its number.

        Raises:
            OSError: the port is taken or the address is not ours.
        """
        self._server = await asyncio.start_server(self._answer, host, port, limit=_REQUEST_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Closes the port."""
        if self._server is not None:
            self._server.close()

    def text(self) -> str:
        """All gauges, with their values now."""
        return "".join(
            f"# HELP {name} {told}\n# TYPE {name} gauge\n{name} {value():g}\n"
            for name, told, value in self._gauges
        )

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(
            TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, *_ = [*head.split(b" ", 2), b"", b""]
                if (method, path) == (b"GET", _PATH):
                    status, body = b"200 OK", self.text().encode()
                else:
                    status, body = b"404 Not Found", b"only GET /metrics\n"
                writer.write(
                    b"HTTP/1.1 %b\r\nContent-Type: text/plain; version=0.0.4\r\n"
                    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)
                )
                await writer.drain()
        writer.close()
