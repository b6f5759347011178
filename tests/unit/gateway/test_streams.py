"""Streams between a front and the dispatcher: no mixing, no holding up."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from emotion.detector.v1 import detector_pb2
from emotion.v1 import emotion_pb2
from emotion_gateway.dispatcher import Dispatcher
from emotion_gateway.streams import Limits, Streams
from emotion_serving import InvalidArgument, ResourceExhausted, Unavailable
from unit.gateway.pictures import answer, box_of, picture, request, score_of, scores, shade_of

LIMITS = Limits(max_sessions=64, max_image_bytes=10_000, max_backlog=8, write_seconds=5.0)
Reply = emotion_pb2.StreamRecognizeResponse


class Backends:
    """A truthful detector and classifier that take a random moment for each batch."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self.in_flight = self.most_in_flight = self.pictures = self.batches = 0
        self.open = asyncio.Event()
        self.open.set()

    async def detect(
        self, images: Sequence[detector_pb2.Image]
    ) -> Sequence[detector_pb2.Detection]:
        self.batches += 1
        self.pictures += len(images)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await self.open.wait()
        await asyncio.sleep(self._random.choice([0, 0, 0.001]))
        self.in_flight -= 1
        return [answer(image) for image in images]

    async def classify(self, chips: bytes) -> npt.NDArray[np.float32]:
        await asyncio.sleep(self._random.choice([0, 0, 0.001]))
        return scores(*chips[:: 48 * 48])

    def streams(self, limits: Limits = LIMITS, concurrency: int = 2) -> Streams:
        dispatcher = Dispatcher(
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            concurrency=concurrency,
            max_batch=16,
            max_batch_bytes=1 << 20,
        )
        return Streams(dispatcher, limits)


class Client:
    """A client of a stream in the same process."""

    def __init__(self, streams: Streams) -> None:
        self.replies: list[Reply] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.taken = 0
        self._news = asyncio.Event()
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.call = asyncio.create_task(streams.serve_stream(self._requests(), self._write))

    async def _requests(self) -> AsyncIterator[bytes]:
        while (data := await self._queue.get()) is not None:
            self.taken += 1
            yield data

    async def _write(self, reply: Reply) -> None:
        await self.reading.wait()
        self.replies.append(reply)
        self._news.set()

    def send(self, *data: bytes) -> None:
        for item in data:
            self._queue.put_nowait(item)

    def half_close(self) -> None:
        self._queue.put_nowait(None)

    async def until(self, replies: int) -> None:
        async with asyncio.timeout(10):
            while len(self.replies) < replies:
                self._news.clear()
                await self._news.wait()


async def done(*calls: asyncio.Task[None]) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(*calls)


async def test_thousands_of_frames_of_many_sessions_are_never_mixed_up() -> None:
    backends = Backends()
    streams = backends.streams(concurrency=3)
    source = random.Random(2)

    async def film(number: int) -> Client:
        client = Client(streams)
        for i in range(1, 151):
            client.send(request(i, picture(number * 1000 + i), capture_time_us=i * 5_000_000))
            if source.random() < 0.5:
                await client.until(i)
        client.half_close()
        await done(client.call)
        return client

    clients = await asyncio.gather(*[film(number) for number in range(20)])
    analysed = 0
    for number, client in enumerate(clients):
        assert [reply.frame_id for reply in client.replies] == [*range(1, 151)]
        for reply in client.replies:
            if reply.WhichOneof("outcome") == "dropped":
                continue
            analysed += 1
            [face] = reply.recognition.faces
            seed = number * 1000 + reply.frame_id
            assert (face.box.x, face.box.y) == box_of(seed)[:2]
            assert face.raw_scores.neutral == score_of(shade_of(seed))
    assert analysed == backends.pictures > 1500
    assert backends.batches < backends.pictures, "there were batches of several"
    assert backends.most_in_flight == 3


async def test_after_the_half_close_what_is_owed_is_still_answered() -> None:
    backends = Backends()
    backends.open.clear()
    client = Client(backends.streams())
    client.send(request(1, picture(1)), request(2, picture(2)), request(3, b""))
    client.half_close()
    await asyncio.sleep(0.01)
    assert client.replies == []
    backends.open.set()
    await done(client.call)
    assert [reply.WhichOneof("outcome") for reply in client.replies] == ["recognition"] * 2 + [
        "error"
    ]


async def test_from_a_client_that_reads_nothing_only_so_many_frames_are_taken() -> None:
    client = Client(Backends().streams())
    client.reading.clear()
    client.send(*[request(i, b"") for i in range(1, 101)])
    await asyncio.sleep(0.05)
    assert client.taken <= 2 * LIMITS.max_backlog + 2
    client.reading.set()
    client.half_close()
    await done(client.call)
    assert [reply.frame_id for reply in client.replies] == [*range(1, 101)]


async def test_a_client_that_reads_nothing_for_too_long_is_let_go() -> None:
    streams = Backends().streams(Limits(1, 10_000, 8, write_seconds=0.05))
    client = Client(streams)
    client.reading.clear()
    client.send(request(1, picture(1)))
    with pytest.raises(ResourceExhausted, match=r"read nothing for 0\.05 s"):
        await done(client.call)
    again = Client(streams)
    again.send(request(1, picture(1)))
    again.half_close()
    await done(again.call)


async def test_a_client_that_reads_nothing_does_not_hold_up_the_others() -> None:
    streams = Backends().streams(concurrency=1)
    stuck, lively = Client(streams), Client(streams)
    stuck.reading.clear()
    for i in range(1, 101):
        stuck.send(request(i, picture(i)))
        lively.send(request(i, picture(i)))
        await lively.until(i)
    assert len(stuck.replies) == 0
    stuck.call.cancel()
    lively.half_close()
    await done(lively.call)


async def test_many_messages_without_a_reply_do_not_hold_up_the_others() -> None:
    streams = Backends().streams()
    flood, lively = Client(streams), Client(streams)
    flood.send(*[b""] * 50_000)
    lively.send(request(1, picture(1)))
    await lively.until(1)
    assert flood.taken < 50_000
    for client in (flood, lively):
        client.half_close()
    await done(flood.call, lively.call)
    assert flood.replies == []


async def test_an_error_of_the_front_ends_the_stream_after_what_is_owed() -> None:
    backends = Backends()
    replies = []

    async def requests() -> AsyncIterator[bytes]:
        yield request(1, picture(1))
        raise InvalidArgument("broken framing")

    async def write(reply: Reply) -> None:
        replies.append(reply.frame_id)

    with pytest.raises(InvalidArgument, match="broken framing"):
        await backends.streams().serve_stream(requests(), write)
    assert replies == [1]


async def test_sessions_over_the_limit_are_refused_until_one_ends() -> None:
    streams = Backends().streams(Limits(2, 10_000, 8, 5.0))
    first, second = Client(streams), Client(streams)
    await asyncio.sleep(0)
    with pytest.raises(ResourceExhausted, match="2 sessions at once"):
        await done(Client(streams).call)
    with pytest.raises(ResourceExhausted):
        await streams.recognize(single(picture(1)))
    first.half_close()
    await done(first.call)
    await streams.recognize(single(picture(1)))
    second.call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second.call
    for client in [Client(streams), Client(streams)]:
        client.half_close()
        await done(client.call)


def single(image: bytes) -> bytes:
    return emotion_pb2.RecognizeRequest(image=image).SerializeToString()


async def test_a_cancelled_stream_leaves_no_task_behind() -> None:
    backends = Backends()
    backends.open.clear()
    streams = backends.streams()
    before = asyncio.all_tasks()
    client = Client(streams)
    client.send(request(1, picture(1)), request(2, picture(2)))
    await asyncio.sleep(0.01)
    client.call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.call
    backends.open.set()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    assert backends.pictures == 1, "the frame that waited is not analysed for nobody"


async def test_a_cancelled_single_call_is_not_analysed() -> None:
    backends = Backends()
    backends.open.clear()
    streams = backends.streams(concurrency=1)
    calls = [asyncio.create_task(streams.recognize(single(picture(i)))) for i in range(3)]
    await asyncio.sleep(0.01)
    calls[1].cancel()
    backends.open.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[1], asyncio.CancelledError)
    for i in (0, 2):
        reply = answers[i]
        assert isinstance(reply, emotion_pb2.RecognizeResponse)
        assert reply.recognition.faces[0].box.x == box_of(i)[0]
    assert backends.pictures == 2


async def test_a_drain_answers_what_is_owed_and_ends_with_unavailable() -> None:
    backends = Backends()
    backends.open.clear()
    streams = backends.streams()
    client, quiet = Client(streams), Client(streams)
    client.send(request(1, picture(1)), request(2, picture(2)))
    await asyncio.sleep(0.01)
    streams.drain()
    await asyncio.sleep(0.01)
    client.send(request(3, picture(3)))
    with pytest.raises(Unavailable, match="stopping"):
        await done(quiet.call)
    await streams.idle(0.01)
    assert not client.call.done()
    backends.open.set()
    await asyncio.wait_for(streams.idle(10), 5)
    with pytest.raises(Unavailable, match="stopping"):
        await done(client.call)
    assert [reply.frame_id for reply in client.replies] == [1, 2]
    with pytest.raises(Unavailable, match="stopping"):
        await done(Client(streams).call)
    with pytest.raises(Unavailable, match="stopping"):
        await streams.recognize(single(picture(1)))


async def test_a_drain_ends_a_stream_whose_client_sends_faster_than_it_reads() -> None:
    streams = Backends().streams()
    client = Client(streams)
    client.reading.clear()
    client.send(*[request(i, b"") for i in range(1, 1001)])
    await asyncio.sleep(0.02)
    streams.drain()
    client.reading.set()
    with pytest.raises(Unavailable):
        await done(client.call)
    ids = [reply.frame_id for reply in client.replies]
    assert ids == [*range(1, len(ids) + 1)]
    assert len(ids) >= client.taken - 1, "at most the one that had no room yet is lost"


async def test_single_calls_say_what_was_wrong() -> None:
    streams = Backends().streams()
    wrong = {
        b"\xff\xff": "not a RecognizeRequest",
        single(b""): "no bytes",
        single(b"x" * 10_001): "at most 10,000",
        single(b"damaged"): "damaged",
        emotion_pb2.RecognizeRequest(
            image=b"x", options=emotion_pb2.RecognizeOptions(max_faces=0)
        ).SerializeToString(): "options.max_faces is 0",
        emotion_pb2.RecognizeRequest(
            image=picture(1),
            tracking_state=emotion_pb2.TrackingState(next_track_id=2**64 - 1),
        ).SerializeToString(): "tracking_state",
    }
    for data, message in wrong.items():
        with pytest.raises(InvalidArgument, match=message):
            await streams.recognize(data)
