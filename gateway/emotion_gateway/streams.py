"""The data plane behind every front: requests as bytes in, replies out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from emotion.v1 import emotion_pb2
from emotion_serving import InvalidArgument, ResourceExhausted, ServiceError, Unavailable
from google.protobuf.message import DecodeError

from emotion_gateway import replies
from emotion_gateway.analysis import Analysis, Failure, Job
from emotion_gateway.dispatcher import Dispatcher, now_us
from emotion_gateway.options import parse_options
from emotion_gateway.sessions import Session, image_refusal

_TURN = 8
"""Messages that one client may have read before the others get their turn."""

Write = Callable[[emotion_pb2.StreamRecognizeResponse], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may cost.

    ``max_backlog`` is the number of unread replies after which no more frames are read from
    the client; ``write_seconds`` how long one reply may wait for the client to read.
    """

    max_sessions: int
    max_image_bytes: int
    max_backlog: int
    write_seconds: float


class Streams:
    """Serves streams and single calls of all clients, whatever front they came through.

    Args:
        dispatcher: analyses frames.
        limits: what clients may cost.
        search_interval_us: how often the frames of a stream are searched everywhere.
    """

    def __init__(self, dispatcher: Dispatcher, limits: Limits, search_interval_us: int = 0) -> None:
        self._dispatcher = dispatcher
        self._search_interval_us = search_interval_us
        self._limits = limits
        self._draining = asyncio.Event()
        self._active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def sessions(self) -> int:
        """Streams and single calls that are served now."""
        return self._active

    @property
    def draining(self) -> bool:
        """Whether the gateway is stopping."""
        return self._draining.is_set()

    async def idle(self, seconds: float) -> None:
        """Waits until nothing is served any more, at most so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    def drain(self) -> None:
        """Takes no more frames; streams answer what they have and end with UNAVAILABLE."""
        self._draining.set()

    async def serve_stream(self, requests: AsyncIterator[bytes], write: Write) -> None:
        """Serves one ``StreamRecognize`` until the client's last request is answered.

        Args:
            requests: serialized ``StreamRecognizeRequest`` messages; ends at half-close.
            write: sends a reply, and returns when the client may be sent the next one.

        Raises:
            ResourceExhausted: too many sessions, or the client stopped reading.
            Unavailable: the gateway is stopping.
        """
        with self._admission():
            stream = _Stream(Session(self._limits.max_image_bytes, self._search_interval_us))
            reader = asyncio.create_task(self._read(requests, stream))
            reader.add_done_callback(lambda _: stream.wake.set())
            drained = asyncio.create_task(self._draining.wait())
            drained.add_done_callback(lambda _: stream.wake.set())
            try:
                while not (reader.done() and stream.session.backlog == 0):
                    await stream.wake.wait()
                    stream.wake.clear()
                    if drained.done():
                        reader.cancel()
                    await self._write_replies(stream, write)
            finally:
                stream.session.abandon()
                drained.cancel()
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
            if self._draining.is_set():
                raise Unavailable("the gateway is stopping; connect again")
            reader.result()

    async def recognize(self, data: bytes) -> emotion_pb2.RecognizeResponse:
        """Serves one ``Recognize``, given its serialized ``RecognizeRequest``.

        Raises:
            InvalidArgument: the request or its picture is wrong; says how.
            ResourceExhausted: too many calls are running.
            Unavailable: the face detector is away, or the gateway is stopping.
        """
        arrived_us = now_us()
        with self._admission():
            try:
                request = emotion_pb2.RecognizeRequest.FromString(data)
            except DecodeError:
                raise InvalidArgument(
                    f"a message of {len(data):,} bytes is not a RecognizeRequest"
                ) from None
            try:
                options = parse_options(request.options)
                tracker = (
                    replies.tracker_from(request.tracking_state)
                    if request.HasField("tracking_state")
                    else None
                )
            except ValueError as error:
                raise InvalidArgument(str(error)) from error
            if refusal := image_refusal(request.image, self._limits.max_image_bytes):
                raise _error(refusal)
            job = Job(request.image, options.max_faces, options.min_detection_score, arrived_us)
            single = _SinglePicture(job)
            self._dispatcher.offer(single)
            outcome = await single.outcome
            if isinstance(outcome, Failure):
                raise _error(outcome)
            return emotion_pb2.RecognizeResponse(
                recognition=replies.recognition(
                    outcome, options, tracker, request.capture_time_us or arrived_us
                ),
                tracking_state=replies.tracking_state(tracker) if tracker is not None else None,
                timings=replies.timings(job, outcome, now_us()),
            )

    async def _read(self, requests: AsyncIterator[bytes], stream: "_Stream") -> None:
        taken = 0
        async for data in requests:
            while stream.session.backlog >= self._limits.max_backlog:
                await stream.room.wait()
            stream.session.receive(data, now_us())
            if stream.session.has_reply:
                stream.wake.set()
            self._dispatcher.offer(stream)
            taken += 1
            if taken % _TURN == 0:
                # Many small messages may already be here; the other clients get their turn.
                await asyncio.sleep(0)

    async def _write_replies(self, stream: "_Stream", write: Write) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as deadline:
                for reply in stream.session.pop_replies():
                    deadline.reschedule(loop.time() + self._limits.write_seconds)
                    await write(reply)
        except TimeoutError:
            raise ResourceExhausted(
                f"the client read nothing for {self._limits.write_seconds:g} s"
            ) from None
        stream.room.set()
        stream.room.clear()

    @contextmanager
    def _admission(self) -> Iterator[None]:
        if self._draining.is_set():
            raise Unavailable("the gateway is stopping; connect again")
        if self._active >= self._limits.max_sessions:
            raise ResourceExhausted(
                f"this gateway serves {self._limits.max_sessions} sessions at once and all are "
                "taken; try again later"
            )
        self._active += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()


class _Stream:
    """A session as a source of the dispatcher; ``wake`` says that there may be replies."""

    def __init__(self, session: Session) -> None:
        self.queued = False
        self.session = session
        self.wake = asyncio.Event()
        self.room = asyncio.Event()

    def take(self) -> Job | None:
        return self.session.take()

    def complete(self, job: Job, outcome: Analysis | Failure, now_us: int) -> None:
        self.session.complete(job, outcome, now_us)
        self.wake.set()


class _SinglePicture:
    """The one picture of a ``Recognize`` call as a source of the dispatcher."""

    def __init__(self, job: Job) -> None:
        self.queued = False
        self.outcome: asyncio.Future[Analysis | Failure] = (
            asyncio.get_running_loop().create_future()
        )
        self._job: Job | None = job

    def take(self) -> Job | None:
        job, self._job = self._job, None
        return job if not self.outcome.cancelled() else None

    def complete(self, job: Job, outcome: Analysis | Failure, now_us: int) -> None:  # noqa: ARG002
        if not self.outcome.done():
            self.outcome.set_result(outcome)


def _error(failure: Failure) -> ServiceError:
    """The error that ends a single call, for what would be one frame's error in a stream."""
    if failure.code == emotion_pb2.FRAME_ERROR_CODE_DETECTOR_UNAVAILABLE:
        return Unavailable(failure.message)
    if failure.code == emotion_pb2.FRAME_ERROR_CODE_INTERNAL:
        return ServiceError(failure.message)
    return InvalidArgument(failure.message)
