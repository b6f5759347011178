"""Clients that stream frames and connect anew like the real ones, and keep count of everything."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import count

import grpc
from contract.gateway_clients import BrowserStream, Reply, Stream
from emotion.v1 import emotion_pb2, emotion_pb2_grpc
from websockets.exceptions import ConnectionClosed, InvalidStatus

# As in web/client/src/session.ts.
MAX_IN_FLIGHT = 2
OPEN_SECONDS = 4.0
MIN_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.25, 10.0
BROKEN = (grpc.StatusCode.UNKNOWN.value[0], "the connection broke")


@dataclass
class Connection:
    """One stream, from its beginning to its end."""

    sent: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    status: tuple[int, str] = (0, "")
    close_code: int | None = None

    @property
    def unanswered(self) -> int:
        """Frames that the client knows to be lost, once the stream has ended."""
        return len(self.sent) - len(self.answered)


@dataclass
class Record:
    """What one client saw; ``outcomes`` counts the replies by kind."""

    connections: list[Connection] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    pauses_seconds: list[float] = field(default_factory=list)
    """From the end of a stream to the first answer of the next."""

    def count(self, recognition: emotion_pb2.Recognition) -> None:
        (face,) = recognition.faces
        self.outcomes["classified" if face.HasField("scores") else "unclassified"] += 1


async def stream(
    make: Callable[[], Stream], picture: bytes, frames_per_s: float, stop: asyncio.Event
) -> Record:
    """Streams until ``stop``, then has its last frames answered; connects anew when it must."""
    record, frame_ids, wait, lost_at = Record(), count(1), 0.0, None
    while not stop.is_set():
        connection = Connection()
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    live = await stack.enter_async_context(make())
            except (OSError, InvalidStatus, TimeoutError) as error:
                record.refused.append(repr(error))
            else:
                broken = False
                record.connections.append(connection)
                sender = asyncio.create_task(
                    _send(live, connection, frame_ids, picture, 1 / frames_per_s, stop)
                )
                async for reply in _replies(live):
                    if lost_at is not None:
                        record.pauses_seconds.append(time.monotonic() - lost_at)
                    lost_at, wait = None, 0.0
                    connection.answered.append(reply.frame_id)
                    if reply.HasField("recognition"):
                        record.count(reply.recognition)
                    else:
                        record.outcomes[reply.WhichOneof("outcome") or "nothing"] += 1
                sender.cancel()
                if isinstance(live, BrowserStream):
                    connection.close_code = live.close_code
                    broken = live.close_code is None
                connection.status = BROKEN if broken else await live.status()
        if not stop.is_set():
            lost_at = lost_at or time.monotonic()
            # "Decorrelated jitter": web/client/src/backoff.ts.
            wait = min(
                MAX_WAIT_SECONDS,
                random.uniform(MIN_WAIT_SECONDS, 3 * max(wait, MIN_WAIT_SECONDS)),
            )
            await asyncio.sleep(wait)
    return record


async def _send(
    live: Stream,
    connection: Connection,
    frame_ids: "count[int]",
    picture: bytes,
    interval_seconds: float,
    stop: asyncio.Event,
) -> None:
    # The stream may end at any moment: its reader sees how.
    with suppress(ConnectionClosed, grpc.aio.AioRpcError, asyncio.InvalidStateError):
        while not stop.is_set():
            if connection.unanswered < MAX_IN_FLIGHT:
                connection.sent.append(next(frame_ids))
                frame = emotion_pb2.Frame(frame_id=connection.sent[-1], image=picture)
                request = emotion_pb2.StreamRecognizeRequest(frame=frame)
                await live.send(request.SerializeToString())
            await asyncio.sleep(interval_seconds)
        await live.half_close()


async def _replies(live: Stream) -> AsyncIterator[Reply]:
    while (reply := await live.reply()) is not None:
        yield reply


async def single_pictures(
    address: str, picture: bytes, calls_per_s: float, stop: asyncio.Event
) -> Record:
    """Makes unary calls one after the other until ``stop``; never makes one twice."""
    record = Record()
    async with grpc.aio.insecure_channel(
        address, options=[("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        stub = emotion_pb2_grpc.EmotionServiceStub(channel)
        while not stop.is_set():
            try:
                answer = await stub.Recognize(
                    emotion_pb2.RecognizeRequest(image=picture), timeout=5
                )
            except grpc.aio.AioRpcError as error:
                record.refused.append(f"{error.code().name}: {error.details()}")
            else:
                record.count(answer.recognition)
            await asyncio.sleep(1 / calls_per_s)
    return record
