"""The gateway as a process, between real gRPC backends that do as told and real clients."""

import asyncio
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
import pytest
from contract.gateway_backends import Classifier, Detector
from contract.gateway_clients import (
    RECOGNIZE,
    STREAM,
    BrowserStream,
    NativeStream,
    Reply,
    Stream,
    framed,
)
from emotion.v1 import emotion_pb2, emotion_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from running import PYTHON, ROOT, RunningService, free_port
from unit.gateway.pictures import box_of, crowd, picture, request, score_of, shade_of
from websockets.exceptions import ConnectionClosed, InvalidStatus

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT.value[0]
RESOURCE_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
FRONTS = pytest.mark.parametrize("front", ["native", "browser"])
PATIENCE_SECONDS = 20


@dataclass
class Rig:
    """A gateway and its backends."""

    gateway: RunningService
    websocket: str
    detector: Detector
    classifier: Classifier

    def stream(self, front: str) -> Stream:
        return (
            NativeStream(self.gateway.address)
            if front == "native"
            else BrowserStream(self.websocket)
        )

    def stub(self) -> emotion_pb2_grpc.EmotionServiceStub:
        return emotion_pb2_grpc.EmotionServiceStub(grpc.aio.insecure_channel(self.gateway.address))


@contextmanager
def rig(*flags: str) -> Iterator[Rig]:
    detector, classifier = Detector(), Classifier()
    detector.start()
    classifier.start()
    websocket_port = free_port()
    with RunningService(
        "emotion_gateway",
        *("--websocket-port", str(websocket_port)),
        *("--detector", detector.address, "--classifier", classifier.address),
        *("--detector-concurrency", "2"),
        *flags,
    ) as gateway:
        try:
            yield Rig(gateway, f"127.0.0.1:{websocket_port}", detector, classifier)
        finally:
            detector.hang(False)
            gateway.stop()
            detector.stop()
            classifier.stop()


@pytest.fixture(scope="module")
def shared() -> Iterator[Rig]:
    with rig("--max-sessions", "64") as running:
        yield running


@pytest.fixture
async def service(shared: Rig) -> AsyncIterator[Rig]:
    """The shared gateway with well-behaved backends; it must not have crashed or complained."""
    shared.detector.behave()
    shared.classifier.behave()
    async with asyncio.timeout(60):
        await until_healed(shared)
        before = len(shared.gateway.log)
        yield shared
    assert shared.gateway.process.poll() is None
    assert_quiet(shared.gateway.log[before:])


def assert_quiet(log: str) -> None:
    """No traces, no exceptions that nobody retrieved, one JSON object a line."""
    for line in log.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            assert event["level"] in ("info", "warning"), event
        assert "Traceback" not in line, log
        assert "never retrieved" not in line, log


async def eventually(attempt: Callable[[], Awaitable[bool]], what: str) -> None:
    """Repeats an attempt until it succeeds.

    Raises:
        AssertionError: it did not in time.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if await attempt():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not in {PATIENCE_SECONDS} s: {what}")


async def until_healed(service: Rig) -> None:
    stub = service.stub()

    async def healed() -> bool:
        try:
            answer = await stub.Recognize(emotion_pb2.RecognizeRequest(image=picture(1)))
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.recognition.classifier_state == emotion_pb2.CLASSIFIER_STATE_OK)

    await eventually(healed, "the gateway found its backends again")


async def ask(stream: Stream, frame_id: int, image: bytes | None = None) -> Reply:
    """Sends a frame and waits for its reply."""
    await stream.send(request(frame_id, picture(frame_id) if image is None else image))
    reply = await stream.reply()
    assert reply is not None, await stream.status()
    assert reply.frame_id == frame_id
    return reply


def assert_truthful(reply: Reply, seed: int) -> None:
    """The reply is about ``picture(seed)``, and classified if it says so."""
    [face] = reply.recognition.faces
    assert (face.box.x, face.box.y) == box_of(seed)[:2]
    if reply.recognition.classifier_state == emotion_pb2.CLASSIFIER_STATE_OK:
        assert face.raw_scores.neutral == score_of(shade_of(seed))
    else:
        assert not face.HasField("raw_scores")


# --- streams ---


@FRONTS
async def test_after_the_half_close_all_replies_come_and_then_ok(service: Rig, front: str) -> None:
    async with service.stream(front) as stream:
        for i in range(1, 31):
            await stream.send(request(i, picture(i), capture_time_us=i))
        await stream.half_close()
        replies = [await stream.reply() for _ in range(30)]
        assert [r and (r.frame_id, r.capture_time_us) for r in replies] == [
            (i, i) for i in range(1, 31)
        ]
        for reply in replies:
            assert reply is not None
            if reply.WhichOneof("outcome") != "dropped":
                assert_truthful(reply, reply.frame_id)
        assert replies[-1] is not None
        assert replies[-1].WhichOneof("outcome") == "recognition", "the newest is not dropped"
        assert await stream.reply() is None
        assert await stream.status() == (0, "")
        if isinstance(stream, BrowserStream):
            assert stream.close_code == 1000
            assert [flag for flag, _ in stream.frames] == [0x80, *[0] * 30, 0x80]
            assert b"content-type: application/grpc-web+proto" in stream.frames[0][1]


@FRONTS
async def test_each_bad_frame_gets_its_error_and_the_stream_goes_on(
    service: Rig, front: str
) -> None:
    async with service.stream(front) as stream:
        await ask(stream, 5)
        for data, frame_id, code in [
            (b"\xff\xff\xff", 0, emotion_pb2.FRAME_ERROR_CODE_MALFORMED_MESSAGE),
            (request(5, picture(5)), 5, emotion_pb2.FRAME_ERROR_CODE_INVALID_FRAME_ID),
            (request(0, picture(5)), 0, emotion_pb2.FRAME_ERROR_CODE_INVALID_FRAME_ID),
            (request(6, b""), 6, emotion_pb2.FRAME_ERROR_CODE_EMPTY_IMAGE),
            (request(7, b"x" * (4 << 20) + b"x"), 7, emotion_pb2.FRAME_ERROR_CODE_TOO_MANY_BYTES),
            (request(8, b"damaged"), 8, emotion_pb2.FRAME_ERROR_CODE_CORRUPT_IMAGE),
            (
                request(options=emotion_pb2.RecognizeOptions(max_faces=0)),
                0,
                emotion_pb2.FRAME_ERROR_CODE_INVALID_OPTIONS,
            ),
        ]:
            await stream.send(data)
            reply = await stream.reply()
            assert reply is not None
            assert (reply.frame_id, reply.error.code) == (frame_id, code)
            assert reply.error.message
        await stream.send(b"")  # no frame, no reply
        assert_truthful(await ask(stream, 9), 9)


@FRONTS
async def test_every_frame_is_answered_in_order_while_backends_come_and_go(
    service: Rig, front: str
) -> None:
    outcomes: list[str] = []
    async with service.stream(front) as stream:
        frame_ids = iter(range(1, 100_000))

        async def film(until: str) -> None:
            """Sends three frames at a time until the last of them is answered as wanted."""
            deadline = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < deadline:
                ids = [next(frame_ids) for _ in range(3)]
                for i in ids:
                    await stream.send(request(i, picture(i)))
                for i in ids:
                    reply = await stream.reply()
                    assert reply is not None
                    assert reply.frame_id == i
                    outcome = reply.WhichOneof("outcome")
                    if outcome == "error":
                        assert reply.error.code == emotion_pb2.FRAME_ERROR_CODE_DETECTOR_UNAVAILABLE
                    elif outcome == "recognition":
                        assert_truthful(reply, i)
                        if reply.recognition.classifier_state != emotion_pb2.CLASSIFIER_STATE_OK:
                            outcome = "unclassified"
                if outcome == until:
                    outcomes.append(outcome)
                    return
                await asyncio.sleep(0.02)
            raise AssertionError(f"never {until}")

        await film("recognition")
        service.classifier.stop()
        await film("unclassified")
        service.classifier.start()
        await film("recognition")
        service.detector.stop()
        await film("error")
        service.detector.start()
        await film("recognition")
        await stream.half_close()
        assert await stream.reply() is None
        assert (await stream.status())[0] == 0
    assert outcomes == ["recognition", "unclassified", "recognition", "error", "recognition"]


@FRONTS
@pytest.mark.parametrize("fault", ["hangs", "nonsense"])
async def test_a_backend_that_hangs_or_talks_nonsense_is_away(
    service: Rig, front: str, fault: str
) -> None:
    async with service.stream(front) as stream:
        for backend in (service.classifier, service.detector):
            if fault == "hangs":
                backend.hang(True)
            else:
                backend.wrong_answer = b""
            reply = await ask(stream, 1 if backend is service.classifier else 3)
            if backend is service.classifier:
                assert (
                    reply.recognition.classifier_state == emotion_pb2.CLASSIFIER_STATE_UNAVAILABLE
                )
                assert len(reply.recognition.faces) == 1
            else:
                assert reply.error.code == emotion_pb2.FRAME_ERROR_CODE_DETECTOR_UNAVAILABLE
            backend.behave()
            i = 2 if backend is service.classifier else 4
            assert_truthful(await ask(stream, i), i)


async def test_many_clients_on_both_fronts_see_only_their_own_faces(service: Rig) -> None:
    async def film(number: int) -> int:
        async with service.stream(random.choice(["native", "browser"])) as stream:
            for i in range(1, 21):
                seed = number * 100 + i
                reply = await ask(stream, i, picture(seed))
                assert_truthful(reply, seed)
            await stream.half_close()
            assert await stream.status() == (0, "")
        return 20

    assert sum(await asyncio.gather(*[film(number) for number in range(24)])) == 480


async def test_a_still_face_keeps_its_track_and_time_is_accounted_for(service: Rig) -> None:
    async with service.stream("native") as stream:
        for i in range(1, 6):
            reply = await ask(stream, i, picture(7))
            assert [face.track_id for face in reply.recognition.faces] == [1]
            assert reply.timings.detect_us == 2
            assert reply.timings.total_us >= reply.timings.classify_us > 0


# --- single pictures ---


async def recognize(
    service: Rig, front: str, message: emotion_pb2.RecognizeRequest | bytes
) -> tuple[int, str, emotion_pb2.RecognizeResponse | None]:
    data = message if isinstance(message, bytes) else message.SerializeToString()
    if front == "native":
        async with grpc.aio.insecure_channel(
            service.gateway.address, options=[("grpc.max_send_message_length", -1)]
        ) as channel:
            try:
                answer = await channel.unary_unary(RECOGNIZE)(data)
            except grpc.aio.AioRpcError as error:
                return error.code().value[0], error.details() or "", None
            return 0, "", emotion_pb2.RecognizeResponse.FromString(answer)
    async with BrowserStream(service.websocket, RECOGNIZE) as call:
        await call.send(data)
        await call.half_close()
        reply = await call.message()
        code, text = await call.status()
        return (
            code,
            text,
            None if reply is None else emotion_pb2.RecognizeResponse.FromString(reply),
        )


@FRONTS
async def test_a_single_picture_is_recognized(service: Rig, front: str) -> None:
    code, _, reply = await recognize(
        service, front, emotion_pb2.RecognizeRequest(image=picture(42))
    )
    assert code == 0
    assert reply is not None
    [face] = reply.recognition.faces
    assert face.track_id == 0
    assert (face.box.x, face.box.y) == box_of(42)[:2]
    assert not reply.HasField("tracking_state")
    assert reply.timings.total_us > 0


async def test_a_browsers_call_does_not_end_with_a_wait_for_the_close(service: Rig) -> None:
    """The half-close that nobody needed any more must not hide the client's answer to the close."""
    async with asyncio.timeout(20):
        for i in range(8):
            message = emotion_pb2.RecognizeRequest(image=picture(i))
            assert (await recognize(service, "browser", message))[0] == 0


@FRONTS
async def test_single_pictures_are_tracked_over_the_state_that_travels(
    service: Rig, front: str
) -> None:
    state = emotion_pb2.TrackingState()
    for i in range(1, 4):
        _, _, reply = await recognize(
            service,
            front,
            emotion_pb2.RecognizeRequest(
                image=picture(7), tracking_state=state, capture_time_us=i * 33_000
            ),
        )
        assert reply is not None
        assert [face.track_id for face in reply.recognition.faces] == [1]
        state = reply.tracking_state
    assert state.next_track_id == 2


@FRONTS
async def test_a_single_picture_that_is_wrong_ends_the_call_with_a_status(
    service: Rig, front: str
) -> None:
    new = emotion_pb2.RecognizeRequest
    hostile = emotion_pb2.TrackingState(next_track_id=2**64 - 1)
    for message, text in [
        (new(), "no bytes"),
        (new(image=b"damaged"), "damaged"),
        (new(image=b"x" * ((4 << 20) + 1)), "at most 4,194,304"),
        (new(image=b"x", options=emotion_pb2.RecognizeOptions(max_faces=101)), "max_faces"),
        (new(image=picture(1), tracking_state=hostile), "tracking_state"),
        (b"\xff\xff\xff", "not a RecognizeRequest"),
    ]:
        code, details, _ = await recognize(service, front, message)
        assert code == INVALID_ARGUMENT
        assert text in details
    service.detector.stop()
    code, details, _ = await recognize(service, front, new(image=picture(1)))
    assert code == UNAVAILABLE
    assert "face detector" in details


async def test_a_browsers_call_without_a_request_is_refused(service: Rig) -> None:
    async with BrowserStream(service.websocket, RECOGNIZE) as call:
        await call.half_close()
        assert (await call.status())[0] == INVALID_ARGUMENT


# --- the WebSocket door ---


@pytest.mark.parametrize("path", ["/", "/emotion.v1.EmotionService/Nothing", STREAM + "/", "//["])
async def test_an_unknown_path_is_404(service: Rig, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await BrowserStream(service.websocket, path).__aenter__()
    assert refused.value.response.status_code == 404
    assert b"StreamRecognize" in (refused.value.response.body or b"")


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://localhost.evil.example", "http://[", "", "garbage"],
)
async def test_a_page_of_somebody_else_is_403(service: Rig, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await BrowserStream(service.websocket, additional_headers={"Origin": origin}).__aenter__()
    assert refused.value.response.status_code == 403
    assert b"--allowed-origins" in (refused.value.response.body or b"")


async def test_two_origins_must_both_be_welcome(service: Rig) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await BrowserStream(
            service.websocket,
            additional_headers=[
                ("Origin", "http://localhost:8080"),
                ("Origin", "https://evil.example"),
            ],
        ).__aenter__()
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://localhost:8080", "same host", "same host over TLS"])
async def test_pages_of_this_host_and_allowed_ones_may_connect(service: Rig, origin: str) -> None:
    host = "camera.example:443"
    headers = {
        "same host": {"Origin": f"http://{host}", "Host": host},
        "same host over TLS": {"Origin": f"https://{host}", "Host": host},
    }.get(origin, {"Origin": origin})
    # websockets' client sends a Host of its own; the request is written by hand.
    reader, writer = await asyncio.open_connection(*service.websocket.split(":"))
    headers = {"Host": service.websocket} | headers
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"GET {STREAM} HTTP/1.1\r\n{lines}{UPGRADE}".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
    writer.close()


UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: grpc-websockets\r\n\r\n"
)


@pytest.mark.parametrize("subprotocols", [None, ["chat"]])
async def test_without_the_subprotocol_nobody_gets_in(
    service: Rig, subprotocols: list[str] | None
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await BrowserStream(service.websocket, subprotocols=subprotocols).__aenter__()
    assert refused.value.response.status_code == 400


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        os.urandom(2000),
        b"PRI * HTTP/2",
    ],
    ids=["nothing", "plain HTTP", "TLS", "noise", "HTTP/2"],
)
async def test_garbage_on_the_websocket_port_harms_nobody(service: Rig, garbage: bytes) -> None:
    async with service.stream("browser") as stream:
        reader, writer = await asyncio.open_connection(*service.websocket.split(":"))
        writer.write(garbage)
        writer.write_eof()
        await reader.read()
        writer.close()
        await ask(stream, 1)


BREAKS: dict[str, tuple[str, list[bytes | str]]] = {
    "text": ("expected binary messages", ["hello"]),
    "wrong first byte": ("must begin with byte 0", [b"\x07"]),
    "empty message": ("must begin with byte 0", [b""]),
    "bad flag": ("flag 0x01; expected 0x00", [b"\x00\x01\x00\x00\x00\x00"]),
    "oversized frame": ("at most 8,388,608", [b"\x00\x00\xff\xff\xff\xff"]),
    "half-close in the middle of a frame": (
        "in the middle of a request",
        [framed(b"request")[:9], b"\x01"],
    ),
}


@pytest.mark.parametrize("break_with", BREAKS)
async def test_broken_framing_ends_its_own_call_only(service: Rig, break_with: str) -> None:
    async with service.stream("browser") as other, BrowserStream(service.websocket) as call:
        await ask(other, 1)
        await ask(call, 1)
        await call.send(request(2, picture(2)))
        for message in BREAKS[break_with][1]:
            await call.socket.send(message)
        reply = await call.reply()
        assert reply is not None
        assert reply.frame_id == 2, "what was sent before is still answered"
        code, message = await call.status()
        assert code == INVALID_ARGUMENT
        assert BREAKS[break_with][0] in message
        assert call.close_code == 1000
        await ask(other, 2)


@pytest.mark.parametrize("headers", [b"\x00\x00\x00", b"no colon", b"a: " + b"b" * 20_000])
async def test_a_bad_header_block_is_refused(service: Rig, headers: bytes) -> None:
    async with BrowserStream(service.websocket, headers=headers) as call:
        code, message = await call.status()
        assert code == INVALID_ARGUMENT
        assert "header block" in message or "'name: value'" in message


async def test_a_websocket_message_over_the_limit_is_closed_with_1009(service: Rig) -> None:
    async with service.stream("browser") as other, BrowserStream(service.websocket) as call:
        await ask(call, 1)
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
            await call.socket.send(b"\x00" * (9 << 20))
            while True:
                await call.socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        await ask(other, 1)


async def test_a_native_message_over_the_limit_is_resource_exhausted(service: Rig) -> None:
    async with service.stream("native") as other, service.stream("native") as stream:
        await ask(stream, 1)
        await stream.send(b"x" * (9 << 20))
        while await stream.reply() is not None:
            pass
        assert (await stream.status())[0] == RESOURCE_EXHAUSTED
        await ask(other, 1)


async def test_the_largest_picture_goes_through_on_both_fronts(service: Rig) -> None:
    image = b"damaged" + bytes((4 << 20) - 7)
    for front in ("native", "browser"):
        async with service.stream(front) as stream:
            reply = await ask(stream, 1, image)
            assert reply.error.code == emotion_pb2.FRAME_ERROR_CODE_CORRUPT_IMAGE


# --- limits, and clients that misbehave ---


async def admitted(service: Rig, front: str) -> bool:
    """Whether a new stream gets a reply."""
    async with service.stream(front) as stream:
        try:
            await stream.send(request(1, picture(1)))
            if await stream.reply() is not None:
                return True
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, ConnectionClosed):
            pass
        code, message = await stream.status()
        # grpcio hides the status from a client that was just sending.
        assert code == RESOURCE_EXHAUSTED or message == "Internal error from Core"
        return False


async def test_sessions_over_the_limit_are_refused_until_others_end() -> None:
    with rig("--max-sessions", "2") as service:
        async with service.stream("native") as first:
            await ask(first, 1)
            async with service.stream("browser") as second:
                await ask(second, 1)
                assert not await admitted(service, "native")
                assert not await admitted(service, "browser")
                code, message, _ = await recognize(
                    service, "native", emotion_pb2.RecognizeRequest(image=picture(1))
                )
                assert code == RESOURCE_EXHAUSTED
                assert "2 sessions at once" in message
                await ask(first, 2)
                await ask(second, 2)
            for front in ("native", "browser"):
                await eventually(lambda front=front: admitted(service, front), "a free place")
            await ask(first, 3)
        assert_quiet(service.gateway.log)


@FRONTS
async def test_a_client_that_stops_reading_is_let_go(front: str) -> None:
    with rig("--max-sessions", "2", "--write-seconds", "1") as service:
        async with service.stream("native") as lively:
            await ask(lively, 1)
            stuck = await deaf(service, front)
            flood = asyncio.create_task(film_a_crowd(stuck))
            frame_ids = iter(range(2, 100_000))

            async def again() -> bool:
                await ask(lively, next(frame_ids))  # the others are served all the time
                return await admitted(service, "native")

            assert not await again(), "the deaf client has its place"
            await eventually(again, "the deaf client is let go")
            if front == "browser":

                async def cut_off() -> bool:
                    return not websocket_connections(service)

                await eventually(cut_off, "its connection is cut off")
            flood.cancel()
            before = service.gateway.memory_mb()
            await stuck.__aexit__(None, None, None)
            await ask(lively, next(frame_ids))
            assert service.gateway.memory_mb() < before + 10
        assert service.gateway.stop() == 0


def websocket_connections(service: Rig) -> int:
    """How many connections the gateway's WebSocket front has open."""
    port = int(service.websocket.split(":")[1])
    connections = psutil.Process(service.gateway.process.pid).net_connections("tcp")
    return sum(c.laddr.port == port and c.status == "ESTABLISHED" for c in connections)


async def deaf(service: Rig, front: str) -> Stream:
    """A stream of a client that never reads, so that no more than kernel buffers fill up."""
    if front == "native":
        return service.stream("native")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    host, port = service.websocket.split(":")
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    call = BrowserStream(
        service.websocket, sock=sock, max_queue=1, ping_interval=None, close_timeout=0.1
    )
    return await call.__aenter__()


async def until_stuck(service: Rig) -> None:
    """Waits until no more frames are taken, since their replies have nowhere to go."""

    async def stuck() -> bool:
        calls = service.detector.calls
        await asyncio.sleep(0.7)
        return calls > 0 and service.detector.calls == calls

    await eventually(stuck, "replies have nowhere to go")


async def film_a_crowd(stream: Stream) -> None:
    options = emotion_pb2.RecognizeOptions(max_faces=100)
    for i in range(1, 100_000):
        await stream.send(request(i, crowd(100), options=options))
        await asyncio.sleep(0.005)


async def test_clients_that_vanish_leave_nothing_behind() -> None:
    with rig("--max-sessions", "20") as service:
        async with service.stream("native") as lively:

            async def vanish(number: int) -> None:
                """Breaks off in the middle of a frame, as a cut network would."""
                await eventually(lambda: admitted(service, "browser"), "a place")
                call = await BrowserStream(service.websocket).__aenter__()
                await call.send(request(1, picture(number)))
                await call.socket.send(framed(bytes(200_000))[: 100_000 + number])
                sock = call.socket.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                call.socket.transport.abort()

            async def round_of(clients: range) -> None:
                for start in range(clients.start, clients.stop, 8):
                    await asyncio.gather(*map(vanish, range(start, start + 8)))
                await ask(lively, clients.stop)

            await round_of(range(0, 40))
            before = service.gateway.memory_mb()
            await round_of(range(40, 240))
            assert service.gateway.memory_mb() < before + 20
            await all_places_are_free(service, 19)
        assert_quiet(service.gateway.log)


async def all_places_are_free(service: Rig, places: int) -> None:
    async def free() -> bool:
        streams = [service.stream("native") for _ in range(places)]
        try:
            for stream in streams:
                await stream.send(request(1, picture(1)))
            return all([await stream.reply() for stream in streams])
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return False
        finally:
            for stream in streams:
                await stream.__aexit__(None, None, None)

    await eventually(free, "all places are free again")


CRASHING_CLIENT = f"""
import sys, grpc
from emotion.v1 import emotion_pb2
sys.path.insert(0, {str(ROOT / "tests")!r})
from unit.gateway.pictures import picture, request
channel = grpc.insecure_channel(sys.argv[1])
stop = __import__("threading").Event()
def frames():
    yield request(1, picture(1))
    yield request(2, picture(2))
    stop.wait()
calls = [channel.stream_stream("{STREAM}")(frames()) for _ in range(15)]
for call in calls:
    next(call)
print("running", flush=True)
stop.wait()
"""


async def test_a_native_client_that_crashes_frees_its_places() -> None:
    with rig("--max-sessions", "16") as service:
        for _ in range(3):
            client = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-c", CRASHING_CLIENT, service.gateway.address),
                stdout=subprocess.PIPE,
            )
            assert client.stdout is not None
            assert await client.stdout.readline() == b"running\n"
            client.kill()
            await client.wait()
            await all_places_are_free(service, 16)
        assert_quiet(service.gateway.log)


# --- starting and stopping ---


@FRONTS
async def test_sigterm_answers_what_is_owed_and_ends_within_the_drain(front: str) -> None:
    with rig("--drain-seconds", "60") as service:
        channel = grpc.aio.insecure_channel(service.gateway.address)
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        async with service.stream(front) as stream, service.stream(front) as quiet:
            await ask(stream, 1)
            await ask(quiet, 1)
            service.detector.delay_seconds = 1.0
            calls = service.detector.calls
            await stream.send(request(2, picture(2)))

            async def at_the_detector() -> bool:
                return service.detector.calls > calls

            await eventually(at_the_detector, "frame 2 is at the detector")
            await stream.send(request(3, picture(3)))
            await asyncio.sleep(0.2)
            service.gateway.process.send_signal(signal.SIGTERM)
            assert (await watch.read()).status == NOT_SERVING
            for i in (2, 3):
                reply = await stream.reply()
                assert reply is not None
                assert reply.frame_id == i
                assert_truthful(reply, i)
            for ended in (stream, quiet):
                assert await ended.reply() is None
                code, message = await ended.status()
                assert code == UNAVAILABLE
                assert "stopping" in message
                if isinstance(ended, BrowserStream):
                    assert ended.close_code == 1001
            status = await asyncio.to_thread(service.gateway.process.wait, 30)
        assert status == 0, "and it does not wait for a watcher of its health"
        assert_quiet(service.gateway.log)
        await channel.close()


async def test_a_client_that_reads_nothing_does_not_keep_the_gateway_from_stopping() -> None:
    with rig("--drain-seconds", "1", "--write-seconds", "600") as service:
        streams = [await deaf(service, front) for front in ("native", "browser")]
        floods = [asyncio.create_task(film_a_crowd(stream)) for stream in streams]
        await until_stuck(service)
        service.gateway.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(service.gateway.process.wait, 15) == 0
        for flood in floods:
            flood.cancel()
        for stream in streams:
            await stream.__aexit__(None, None, None)


async def test_while_it_drains_new_calls_are_refused() -> None:
    with rig("--drain-seconds", "10") as service:
        async with service.stream("browser") as stream:
            await ask(stream, 1)
            service.detector.hang(True)
            await stream.send(request(2, picture(2)))
            await asyncio.sleep(0.3)
            service.gateway.process.send_signal(signal.SIGTERM)

            async def refused() -> bool:
                call = BrowserStream(service.websocket)
                async with call:
                    return (await call.status())[0] == UNAVAILABLE and call.close_code == 1001

            await eventually(refused, "a new call is refused")
            reply = await stream.reply()
            assert reply is not None
            assert reply.frame_id == 2
        assert await asyncio.to_thread(service.gateway.process.wait, 30) == 0


def start(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PYTHON), "-m", "emotion_gateway", *flags],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("flag", ["--port", "--websocket-port"])
def test_a_taken_port_is_one_clear_line_and_exit_1(flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--port": "0", "--websocket-port": "0"} | {flag: str(port)}
        ended = start(*[word for pair in ports.items() for word in pair])
    assert ended.returncode == 1
    [line] = [line for line in ended.stderr.splitlines() if line.startswith("emotion-gateway: ")]
    assert str(port) in line
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("flag", ["--unix-socket", "--websocket-unix-socket"])
def test_a_socket_in_no_folder_is_one_clear_line_and_exit_1(flag: str, tmp_path: Path) -> None:
    ended = start("--port=0", "--websocket-port=0", f"{flag}={tmp_path}/missing/socket")
    assert ended.returncode == 1
    assert [line for line in ended.stderr.splitlines() if line.startswith("emotion-gateway: ")]
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "99999"], "--port (or EMOTION_GATEWAY_PORT) is '99999': "),
        (["--max-sessions", "none"], "--max-sessions (or EMOTION_GATEWAY_MAX_SESSIONS) is 'none'"),
        (["--allowed-origins", "("], "not a regular expression"),
        (["--detector", " "], "--detector (or EMOTION_GATEWAY_DETECTOR) is ' '"),
        (["--max-image-bytes", "9000000"], "expected at most 8323072"),
        (["--nonsense", "1"], "--nonsense"),
    ],
)
def test_a_bad_flag_is_a_clear_message_and_exit_2(flags: list[str], message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = ["--websocket-port", str(taken.getsockname()[1])]
        ended = start(*port, *flags)  # with its ports opened first, it would end with 1
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_tells_every_flag() -> None:
    ended = start("--help")
    assert ended.returncode == 0
    for flag in ("--port", "--websocket-port", "--detector", "--classifier", "--allowed-origins"):
        assert flag in ended.stdout


@asynccontextmanager
async def plain_channel(service: Rig) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(service.gateway.address) as channel:
        yield channel


async def test_health_knows_the_service(service: Rig) -> None:
    async with plain_channel(service) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "emotion.v1.EmotionService"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stub.Check(health_pb2.HealthCheckRequest(service="nothing"))
        assert error.value.code() == grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_the_services(service: Rig) -> None:
    async with plain_channel(service) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        answer = await call.read()
    assert {s.name for s in answer.list_services_response.service} == {
        "emotion.v1.EmotionService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_an_unknown_method_is_unimplemented(service: Rig) -> None:
    async with plain_channel(service) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await channel.unary_unary("/emotion.v1.EmotionService/Nothing")(b"")
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
