"""Starts, watches, restarts and stops the parts as real processes."""

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from emotion_local.parts import Part, plan, render_envoy
from emotion_local.settings import LocalSettings

_POLL_SECONDS = 0.05
_STOP_SECONDS = 15.0
_MAX_RESTARTS = 3
_RESTART_WINDOW_SECONDS = 60.0


class StartError(Exception):
    """Something cannot start or keeps dying; the message names it and says what to do."""


class Interrupted(Exception):
    """Somebody asked to stop while parts were starting."""


class Stack:
    """All parts on one machine.

    Args:
        settings: ports (0 takes a free one) and folders.
        say: takes lines meant for a person.
        interrupted: whether to give up starting. It is asked between steps: an exception from
            a signal could come between a process's start and the note of it, and leave it over.
    """

    def __init__(
        self,
        settings: LocalSettings,
        say: Callable[[str], None] = print,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._interrupted = interrupted
        self.settings = settings.model_copy(update=_choose_free(settings.ports()))
        # Its path is short, unlike that of a folder of ours: Linux takes 107 bytes for a socket's.
        self._folder = tempfile.TemporaryDirectory(prefix="emotion-")
        self.sockets = Path(self._folder.name)
        self.parts = {part.name: part for part in plan(self.settings, self.sockets)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._say = say
        self.logs = self.settings.work_directory / "logs"
        self._restarts: dict[str, deque[float]] = {name: deque() for name in self.parts}

    @property
    def url(self) -> str:
        """Where the page is."""
        host = "localhost" if self.settings.host in ("127.0.0.1", "0.0.0.0") else self.settings.host
        return f"http://{host}:{self.settings.port}"

    def start(self) -> None:
        """Starts every part and waits until each is healthy.

        Raises:
            StartError: a port is taken, the page is not built, or a part does not start.
        """
        if not (self.settings.page_directory / "index.html").is_file():
            raise StartError(f"the page is not built in {self.settings.page_directory}: make setup")
        for part in self.parts.values():
            if part.port is not None:
                _check_free(part, part.port, part.host, getattr(self.settings, part.port))
        self.logs.mkdir(parents=True, exist_ok=True)
        (self.settings.work_directory / "envoy.yaml").write_text(
            render_envoy(self.settings, self.sockets)
        )
        for name in self.parts:
            self.start_part(name)
        deadline = time.monotonic() + self.settings.start_seconds
        for name in self.parts:
            self.wait_until_healthy(name, deadline - time.monotonic())

    def start_part(self, name: str) -> None:
        """Starts one part; its output goes to its log."""
        with self.log(name).open("wb") as log:
            self.processes[name] = process = subprocess.Popen(
                self.parts[name].command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the launcher alone, which stops the parts in order.
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        if self.parts[name].yields and self.settings.give_way:
            # Threads that it starts inherit it. Where that is forbidden, it goes without.
            with suppress(OSError):
                os.sched_setscheduler(process.pid, os.SCHED_BATCH, os.sched_param(0))

    def wait_until_healthy(self, name: str, seconds: float) -> None:
        """Waits until a part says that it serves.

        Raises:
            StartError: it ended, or took too long.
        """
        part = self.parts[name]
        deadline = time.monotonic() + seconds
        while not is_healthy(part):
            if self.processes[name].poll() is not None:
                raise StartError(self._obituary(name))
            if self._interrupted():
                raise Interrupted
            if time.monotonic() > deadline:
                raise StartError(
                    f"{name} is not healthy after {self.settings.start_seconds:g} s; "
                    f"its log: {self.log(name)}"
                )
            time.sleep(_POLL_SECONDS)

    def watch(self) -> None:
        """Looks once whether every part is alive, and starts again what has died.

        Raises:
            StartError: a part keeps dying.
        """
        for name, process in self.processes.items():
            if process.poll() is None:
                continue
            now = time.monotonic()
            restarts = self._restarts[name]
            while restarts and now - restarts[0] > _RESTART_WINDOW_SECONDS:
                restarts.popleft()
            if len(restarts) >= _MAX_RESTARTS:
                raise StartError(f"{self._obituary(name)}\n{name} keeps ending; giving up")
            restarts.append(now)
            self._say(f"{self._obituary(name)}\nstarting {name} again")
            self.start_part(name)

    def stop(self) -> None:
        """Stops every part: the gateway first, so that clients hear of it."""
        for name in self.parts:
            self.stop_part(name)
        self._folder.cleanup()

    def stop_part(self, name: str) -> int | None:
        """Stops one part with SIGTERM, or kills it when it takes too long; its exit code."""
        process = self.processes.get(name)
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._say(f"{name} did not stop within {_STOP_SECONDS:g} s; killing it")
                process.kill()
                process.wait()
        return process.returncode

    def log(self, name: str) -> Path:
        """The file with a part's output."""
        return self.logs / f"{name}.log"

    def _obituary(self, name: str) -> str:
        code = self.processes[name].returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        lines = self.log(name).read_text(errors="replace").splitlines()[-3:]
        return f"{name} {how}; its log is {self.log(name)}" + "".join(f"\n  | {x}" for x in lines)

    def __enter__(self) -> "Stack":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def is_healthy(part: Part) -> bool:
    """Asks a part whether it serves."""
    if part.health == "grpc":
        with grpc.insecure_channel(part.address) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=1
                )
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
    connection = http.client.HTTPConnection(part.address, timeout=1)
    try:
        connection.request("GET", part.health_path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _choose_free(ports: dict[str, int]) -> dict[str, int]:
    """Replaces each 0 by a port that was free a moment ago."""
    chosen = dict(ports)
    held = []
    for name, port in ports.items():
        if port == 0:
            sock = socket.socket()
            sock.bind(("127.0.0.1", 0))
            held.append(sock)
            chosen[name] = sock.getsockname()[1]
    for sock in held:
        sock.close()
    return chosen


def _check_free(part: Part, setting: str, host: str, port: int) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            flag = f"--{setting.replace('_', '-')}"
            raise StartError(
                f"port {port}, which {part.name} needs, cannot be opened on {host} "
                f"({error.strerror}). Stop what uses it, or choose another: "
                f'make run ARGS="{flag} {port + 1}"'
            ) from None
