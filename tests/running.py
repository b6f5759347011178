"""Starts services as real processes for tests, and stops them whatever happens.

Only the standard library, grpcio and nothing of ours is imported, so that the contract tests
can use it beside the official TensorFlow Serving stubs.
"""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import grpc

ROOT = Path(__file__).resolve().parent.parent
SHIPPED_VERSION = max(
    int(folder.name) for folder in (ROOT / "services/classifier/models/emotion").glob("[0-9]*")
)
"""The newest version of the classifier that the repository has."""
SHIPPED_MODEL = ROOT / f"services/classifier/models/emotion/{SHIPPED_VERSION}"
PYTHON = ROOT / "build/venv/bin/python"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listened on a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class RunningService:
    """``python -m <module> --port <port>`` with its log in a file.

    Args:
        module: the service's module, e.g. ``emotion_detector``.
        arguments: further flags.
        port: the gRPC port; a free one if None.
    """

    def __init__(self, module: str, *arguments: str, port: int | None = None) -> None:
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._log = tempfile.NamedTemporaryFile("w+", prefix=f"{module}-", suffix=".log")  # noqa: SIM115
        self.process = subprocess.Popen(
            [str(PYTHON), "-m", module, "--port", str(self.port), *arguments],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )

    @property
    def log(self) -> str:
        """Everything the service has printed."""
        return Path(self._log.name).read_text()

    def wait_until_healthy(self, seconds: float = 20.0) -> "RunningService":
        """Waits until grpc.health.v1 says SERVING.

        Raises:
            AssertionError: it ended, or was not healthy in time; carries its log.
        """
        deadline = time.monotonic() + seconds
        with grpc.insecure_channel(
            self.address, options=[("grpc.max_reconnect_backoff_ms", 200)]
        ) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            while time.monotonic() < deadline:
                assert self.process.poll() is None, f"ended early:\n{self.log}"
                try:
                    if check(b"", timeout=1.0) == b"\x08\x01":
                        return self
                except grpc.RpcError:
                    pass
                time.sleep(0.05)
        raise AssertionError(f"not healthy after {seconds} s:\n{self.log}")

    def memory_mb(self) -> float:
        """Resident memory of the process, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        match = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert match is not None
        return int(match[1]) / 1024

    def stop(self, seconds: float = 15.0) -> int:
        """Sends SIGTERM, waits, and returns the exit code; kills it when it takes too long."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def kill(self) -> None:
        """Ends the process at once, as a crash would."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "RunningService":
        return self.wait_until_healthy()

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self._log.close()
