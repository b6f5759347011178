"""What the field otherwise offers, running in a virtual environment of its own."""

import http.client
import json
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import Self

from benchmarks.bench import ROOT
from benchmarks.frames import POSITIONS, mixed_clip
from benchmarks.processes import cpu_seconds, tree

PYTHON = ROOT / "build/venv-peers/bin/python"
_APP = ROOT / "benchmarks/peers/flask_app.py"
_START_SECONDS = 120
_CLIENTS = 2


PEERS = {"flask": "keras", "fer": "fer"}
"""Names of the peers, and what stands behind the Flask page of each."""


class PeerAbsentError(Exception):
    """A peer cannot run here; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class PeerSlice:
    """What was measured: frames answered and faces in them, CPU used, time passed."""

    frames: int
    faces: int
    cpu_seconds: float
    seconds: float


class Peer:
    """``peers/flask_app.py`` as a process; a context that starts and stops it.

    Args:
        name: one of ``PEERS``.

    Raises:
        PeerAbsentError: its virtual environment is not there, or it does not start.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        if not PYTHON.exists():
            raise PeerAbsentError(
                f"peer.{name} is not measured: there is no build/venv-peers; see "
                "docs/performance.md"
            )
        # One, three, none in turn: the few frames of a slice have the same mix as all.
        clip = mixed_clip()
        self._clip = [clip[k % 3 * POSITIONS + k // 3] for k in range(3 * POSITIONS)]
        log = ROOT / f"build/bench/peer-{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [PYTHON, _APP, PEERS[name]], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerAbsentError(f"peer.{name} is not measured: it did not start, see {log}")
        started = json.loads(line)
        self.port: int = started["port"]
        self.detector: str = started["detector"]
        self._wait_until_it_answers()

    def measure(self, seconds: float) -> PeerSlice:
        """Posts frames from two clients, each the next when one is answered."""
        frames, faces = [0] * _CLIENTS, [0] * _CLIENTS
        pids = tree(self._process.pid)
        began, cpu_began = time.monotonic(), cpu_seconds(pids)

        def post(client: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            while time.monotonic() < began + seconds:
                frame = self._clip[(client + _CLIENTS * frames[client]) % len(self._clip)]
                connection.request("POST", "/recognize", frame.image)
                answer = connection.getresponse()
                faces[client] += len(json.loads(answer.read())["faces"])
                frames[client] += 1
            connection.close()

        clients = [threading.Thread(target=post, args=(k,)) for k in range(_CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        return PeerSlice(
            sum(frames),
            sum(faces),
            cpu_seconds(tree(self._process.pid)) - cpu_began,
            time.monotonic() - began,
        )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                if self.measure(0.5).frames:
                    return
            except (OSError, ValueError):
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise PeerAbsentError(f"peer.{self.name} is not measured: it does not answer")
            time.sleep(0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait(10)
