"""The load generator: many clients in one thread of a process of its own.

``python -m benchmarks.load`` answers questions of the harness.
"""

import functools
import heapq
import math
import random
import select
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

from benchmarks.frames import named_clip
from benchmarks.http2 import GrpcStream
from benchmarks.measures import percentile
from benchmarks.processes import cpu_seconds, machine_cpu_seconds, resident_kb, tree
from benchmarks.session import STAGES, Sample, Session
from benchmarks.websocket import WebSocketStream
from benchmarks.worker import answer_questions

PATH = "/emotion.v1.EmotionService/StreamRecognize"

Wire = Literal["grpc", "websocket"]

_GRACE_SECONDS = 1.0
_READ_BYTES = 1 << 16
_LONGEST_SLEEP_SECONDS = 0.05
_AWAKE_SECONDS = 0.0003
_TURN_SECONDS = 0.002
"""How often many clients at a pace of their own look what there is to do: a wake-up for each
frame and each reply would take more of the cores that the services need."""


class Connection:
    """A client's socket: moves bytes between the session, the wire and the network."""

    def __init__(
        self, host: str, port: int, wire: Wire, session: Session, events: select.epoll
    ) -> None:
        self.session = session
        self._stream = (GrpcStream if wire == "grpc" else WebSocketStream)(f"{host}:{port}", PATH)
        self._events = events
        self._socket = socket.create_connection((host, port), timeout=5)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out: list[bytes | memoryview] = []
        self._writing = False
        events.register(self._socket, select.EPOLLIN)
        self._flush()

    def fileno(self) -> int:
        """The socket's number."""
        return self._socket.fileno()

    def serve(self, events: int) -> None:
        """Reads and writes what the network allows.

        Raises:
            RuntimeError: the server has ended the stream.
        """
        if events & ~select.EPOLLOUT:
            data = self._socket.recv(_READ_BYTES)
            now = time.monotonic()
            for message in self._stream.receive(data):
                self.session.receive(message, now)
            if not data or self._stream.ended:
                raise RuntimeError("the server has ended a stream")
        self.pump(time.monotonic())

    def pump(self, now: float) -> None:
        """Sends what is due, one message at a time: the rest waits for the network."""
        self._flush()
        while not self._out and self._stream.can_send and self.session.wants_to_send:
            self._stream.send(*self.session.take(now))
            self._flush()

    def close(self) -> None:
        """Half-closes the stream and closes the socket."""
        self._events.unregister(self._socket)
        with suppress(OSError):
            self._stream.end()
            self._flush()
        self._socket.close()

    def _flush(self) -> None:
        self._out += self._stream.data_to_send()
        if self._out:
            try:
                sent = self._socket.sendmsg(self._out)
            except BlockingIOError:
                sent = 0
            self._out = rest(self._out, sent)
        if bool(self._out) != self._writing:
            self._writing = bool(self._out)
            self._events.modify(
                self._socket, select.EPOLLIN | (select.EPOLLOUT if self._writing else 0)
            )


def rest(parts: list[bytes | memoryview], count: int) -> list[bytes | memoryview]:
    """What is left of ``parts`` behind the first ``count`` bytes."""
    for k, part in enumerate(parts):
        if count < len(part):
            return [memoryview(part)[count:], *parts[k + 1 :]]
        count -= len(part)
    return []


class Load:
    """Clients that are connected; runs them for as long as it is told."""

    def __init__(self, connections: Sequence[Connection], events: select.epoll) -> None:
        self.connections = connections
        self._events = events
        self._by_number = {connection.fileno(): connection for connection in connections}
        self._due = [(c.session.next_due, k) for k, c in enumerate(connections)]
        heapq.heapify(self._due)
        self.lateness_s: list[float] = []
        """How much later than due frames were made, in seconds: the generator's own delay."""

    def run_until(self, end: float, *, sending: bool = True) -> None:
        """Sends and receives until ``end``, or, not ``sending``, until all is answered."""
        paced = len(self.connections) > 1 and math.isfinite(self._due[0][0])
        while (now := time.monotonic()) < end:
            due = end
            if sending:
                due = self._tick(now)
            elif not any(connection.session.outstanding for connection in self.connections):
                return
            wait = min(max(0.0, due - time.monotonic()), _LONGEST_SLEEP_SECONDS)
            if len(self.connections) == 1:
                # Epoll waits whole milliseconds, ``select`` on epoll itself does not, but returns
                # too late by a tenth of one: the last of the way is waited for awake.
                select.select([self._events.fileno()], [], [], max(0.0, wait - _AWAKE_SECONDS))
                wait = 0
            elif paced:
                time.sleep(_TURN_SECONDS)
                wait = 0
            for number, events in self._events.poll(wait):
                self._by_number[number].serve(events)

    def _tick(self, now: float) -> float:
        """Makes the frames that are due and tells when the next one is."""
        while (due := self._due[0][0]) <= now:
            self.lateness_s.append(now - due)
            k = self._due[0][1]
            connection = self.connections[k]
            connection.session.tick(now)
            connection.pump(now)
            heapq.heapreplace(self._due, (connection.session.next_due, k))
        return due


def measure(
    host: str,
    port: int,
    picture: str,
    seconds: float,
    *,
    wire: Wire = "grpc",
    sessions: int = 1,
    frames_per_second: float = 0,
    warm_seconds: float = 0.5,
    max_faces: int = 20,
    pids: dict[str, int] | None = None,
) -> dict[str, Any]:
    """Runs clients for ``warm_seconds`` and then ``seconds``, and tells of the latter.

    Args:
        host: of Envoy.
        port: of Envoy.
        picture: the clip, see ``frames.named_clip``.
        seconds: how long is measured.
        wire: how the clients talk.
        sessions: number of clients, each with a connection of its own.
        frames_per_second: pace of each client; 0 for each as fast as it is answered.
        warm_seconds: how long is not measured.
        max_faces: option of the streams.
        pids: the services by name.

    Returns:
        ``seconds`` measured; ``analysed`` replies with faces that came in them and their
        ``faces``; ``outcomes`` of the frames that were due in them; ``latencies_ms``, in the order
        in which they were due, and median ``stages_ms`` of those analysed; ``per_session`` how
        many; ``cpu_s`` and ``resident_kb`` of each service, ``generator_cpu_s`` of this process
        and its ``lateness_ms_p99``; ``others_cores`` that everything else on the machine took.

    Raises:
        RuntimeError: a stream ended, or nothing was analysed.
    """
    clip = _clip(picture)
    services = {name: tree(pid) for name, pid in (pids or {}).items()}
    with _connect(host, port, wire, clip, sessions, frames_per_second, max_faces) as load:
        load.run_until(time.monotonic() + warm_seconds)
        begin = time.monotonic()
        cpu = {name: cpu_seconds(found) for name, found in services.items()}
        own_cpu = time.process_time()
        machine_cpu = machine_cpu_seconds()
        load.lateness_s.clear()
        load.run_until(begin + seconds)
        end = time.monotonic()
        cpu = {name: cpu_seconds(found) - cpu[name] for name, found in services.items()}
        own_cpu = time.process_time() - own_cpu
        others_cpu = machine_cpu_seconds() - machine_cpu - own_cpu - sum(cpu.values())
        resident = {name: resident_kb(found) for name, found in services.items()}
        load.run_until(end + _GRACE_SECONDS, sending=False)
        samples = [
            [sample for sample in connection.session.samples if begin <= sample.due < end]
            for connection in load.connections
        ]
        came = [
            sample
            for connection in load.connections
            for sample in connection.session.samples
            if sample.outcome == "recognition" and begin <= sample.replied < end
        ]
    if not came:
        raise RuntimeError(f"no frame of {sessions} clients was analysed in {seconds:g} s")
    return {
        "seconds": end - begin,
        "analysed": len(came),
        "faces": sum(sample.faces for sample in came),
        "cpu_s": cpu,
        "resident_kb": resident,
        "generator_cpu_s": own_cpu,
        "others_cores": max(0.0, others_cpu / (end - begin)),
        "lateness_ms_p99": 1e3 * percentile(load.lateness_s or [0.0], 99),
        **_summary(samples),
    }


def _summary(samples: list[list[Sample]]) -> dict[str, Any]:
    every = [sample for own in samples for sample in own]
    analysed = [sample for sample in every if sample.outcome == "recognition"]
    analysed.sort(key=lambda sample: sample.due)
    return {
        "outcomes": Counter(sample.outcome for sample in every),
        "per_session": [sum(s.outcome == "recognition" for s in own) for own in samples],
        "latencies_ms": [1e3 * (sample.replied - sample.due) for sample in analysed],
        "stages_ms": {
            stage: percentile([sample.stages_us[k] / 1e3 for sample in analysed], 50)
            for k, stage in enumerate(STAGES)
            if analysed
        },
    }


@contextmanager
def _connect(
    host: str,
    port: int,
    wire: Wire,
    clip: Sequence[Any],
    sessions: int,
    frames_per_second: float,
    max_faces: int,
) -> Iterator[Load]:
    """Clients that begin at random moments of their pace and at different places of the clip."""
    chance = random.Random(sessions)
    connections: list[Connection] = []
    with select.epoll() as events:
        try:
            begin = time.monotonic() + 0.002 * sessions
            for k in range(sessions):
                session = Session(
                    clip,
                    k * len(clip) // 3,
                    frames_per_second=frames_per_second,
                    begin=begin + chance.random() / max(frames_per_second, 1),
                    max_faces=max_faces,
                )
                connections.append(Connection(host, port, wire, session, events))
            yield Load(connections, events)
        finally:
            for connection in connections:
                connection.close()


_clip = functools.cache(named_clip)


def main() -> None:
    """Answers until the harness closes the pipe."""
    answer_questions(measure)


if __name__ == "__main__":
    main()
