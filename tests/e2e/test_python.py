"""Other backends: native gRPC from Python, through Envoy and straight to the gateway."""

import json
import queue
import re
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from clips import FRAMES, LEFT, NOBODY, RIGHT, Clip, overlap
from emotion.v1 import emotion_pb2, emotion_pb2_grpc
from emotion_local import Stack
from wire import pixels

ROOT = Path(__file__).resolve().parents[2]
Response = emotion_pb2.StreamRecognizeResponse


@pytest.fixture(params=["envoy", "gateway"])
def stub(
    request: pytest.FixtureRequest, stack: Stack
) -> Iterator[emotion_pb2_grpc.EmotionServiceStub]:
    edge = f"127.0.0.1:{stack.settings.port}"
    address = edge if request.param == "envoy" else stack.parts["gateway"].address
    with grpc.insecure_channel(address) as channel:
        yield emotion_pb2_grpc.EmotionServiceStub(channel)


def frames(
    clip: Clip, count: int, pause: float = 0.0
) -> Iterator[emotion_pb2.StreamRecognizeRequest]:
    pictures = [clip.jpeg(frame) for frame in range(FRAMES)]
    for i in range(count):
        yield emotion_pb2.StreamRecognizeRequest(
            frame=emotion_pb2.Frame(
                frame_id=i + 1, image=pictures[i % FRAMES], capture_time_us=1 + i * 33_333
            )
        )
        time.sleep(pause)


def one_at_a_time(
    stub: emotion_pb2_grpc.EmotionServiceStub, clip: Clip, count: int
) -> list[Response]:
    """Sends each frame when the one before is answered, so that none is dropped."""
    requests: queue.SimpleQueue[emotion_pb2.StreamRecognizeRequest | None] = queue.SimpleQueue()
    replies = stub.StreamRecognize(iter(requests.get, None))
    answered = []
    for request in frames(clip, count):
        requests.put(request)
        answered.append(next(replies))
    requests.put(None)
    assert list(replies) == []
    return answered


def best_overlap(reply: Response, clip: Clip, frame: int) -> float:
    face = clip.face(frame)
    assert face is not None
    return max(
        (overlap(pixels(f.box), face) for f in reply.recognition.faces),
        default=0,
    )


def test_a_stream_follows_the_face(stub: emotion_pb2_grpc.EmotionServiceStub) -> None:
    replies = one_at_a_time(stub, LEFT, FRAMES)
    assert [reply.frame_id for reply in replies] == list(range(1, FRAMES + 1))
    good = sum(best_overlap(reply, LEFT, i) >= 0.5 for i, reply in enumerate(replies))
    assert good >= 0.9 * FRAMES
    assert {face.track_id for reply in replies for face in reply.recognition.faces} == {1}
    smiling = [f for reply in replies for f in reply.recognition.faces]
    assert all(abs(sum(_values(f.scores)) - 1) < 0.02 for f in smiling)
    happy = sum(f.expression == emotion_pb2.EXPRESSION_HAPPINESS for f in smiling)
    assert happy >= 0.9 * len(smiling)


def test_a_stream_without_a_face_gets_no_box(stub: emotion_pb2_grpc.EmotionServiceStub) -> None:
    replies = one_at_a_time(stub, NOBODY, 30)
    assert all(reply.WhichOneof("outcome") == "recognition" for reply in replies)
    assert all(not reply.recognition.faces for reply in replies)


def test_a_flood_gets_one_reply_for_each_frame_in_order(
    stub: emotion_pb2_grpc.EmotionServiceStub,
) -> None:
    replies = list(stub.StreamRecognize(frames(RIGHT, 400)))
    assert [reply.frame_id for reply in replies] == list(range(1, 401))
    outcomes = {reply.WhichOneof("outcome") for reply in replies}
    assert outcomes == {"recognition", "dropped"}


def test_single_pictures_can_be_followed_over_calls(
    stub: emotion_pb2_grpc.EmotionServiceStub,
) -> None:
    state = emotion_pb2.TrackingState()
    seen = set()
    for frame in range(10):
        reply = stub.Recognize(
            emotion_pb2.RecognizeRequest(
                image=LEFT.jpeg(frame), tracking_state=state, capture_time_us=1 + frame * 33_333
            )
        )
        state = reply.tracking_state
        seen |= {face.track_id for face in reply.recognition.faces}
    assert seen == {1}


def test_bad_pictures_get_errors_that_say_what_is_expected(
    stub: emotion_pb2_grpc.EmotionServiceStub,
) -> None:
    good = LEFT.jpeg(0)
    bad = {
        b"": "EMPTY_IMAGE",
        b"hello": "UNSUPPORTED_FORMAT",
        good[: len(good) // 2]: "CORRUPT_IMAGE",
        b"\xff\xd8" + bytes(4 * 1024 * 1024): "TOO_MANY_BYTES",
        huge_png(): "TOO_MANY_PIXELS",
    }
    requests = []
    for i, image in enumerate([*bad, good]):
        requests.append(
            emotion_pb2.StreamRecognizeRequest(frame=emotion_pb2.Frame(frame_id=i + 1, image=image))
        )

    def slowly() -> Iterator[emotion_pb2.StreamRecognizeRequest]:
        for request in requests:
            yield request
            time.sleep(0.3)

    replies = list(stub.StreamRecognize(slowly()))
    codes = [emotion_pb2.FrameErrorCode.Name(r.error.code) for r in replies[:-1]]
    assert codes == [f"FRAME_ERROR_CODE_{code}" for code in bad.values()]
    assert all(len(reply.error.message) > 20 for reply in replies[:-1])
    assert len(replies[-1].recognition.faces) == 1
    for image in bad:
        with pytest.raises(grpc.RpcError) as caught:
            stub.Recognize(emotion_pb2.RecognizeRequest(image=image))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def huge_png() -> bytes:
    """A small file whose header announces 100,000 by 100,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("part", ["classifier", "detector"])
def test_every_frame_is_answered_while_a_part_dies_and_comes_back(stack: Stack, part: str) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{stack.settings.port}") as channel:
        stub = emotion_pb2_grpc.EmotionServiceStub(channel)
        came_back = threading.Event()

        def requests() -> Iterator[emotion_pb2.StreamRecognizeRequest]:
            sent = 0
            picture = LEFT.jpeg(10)
            until: float | None = None
            while until is None or time.monotonic() < until:
                sent += 1
                yield emotion_pb2.StreamRecognizeRequest(
                    frame=emotion_pb2.Frame(frame_id=sent, image=picture)
                )
                time.sleep(0.03)
                if came_back.is_set() and until is None:
                    until = time.monotonic() + 4
            counts.append(sent)

        counts: list[int] = []
        replies = stub.StreamRecognize(requests(), timeout=60)
        got: list[Response] = [next(replies)]

        def kill_and_restart() -> None:
            time.sleep(1)
            stack.processes[part].kill()
            stack.processes[part].wait()
            time.sleep(1.5)
            stack.start_part(part)
            stack.wait_until_healthy(part, 20)
            came_back.set()

        killer = threading.Thread(target=kill_and_restart)
        killer.start()
        got.extend(replies)
        killer.join()
    assert [reply.frame_id for reply in got] == list(range(1, counts[0] + 1))
    if part == "classifier":
        away = [
            r.recognition
            for r in got
            if r.recognition.classifier_state == emotion_pb2.CLASSIFIER_STATE_UNAVAILABLE
        ]
        assert away
        assert all(len(r.faces) == 1 and not r.faces[0].expression for r in away)
        assert not any(r.HasField("error") for r in got)
    else:
        errors = {r.error.code for r in got if r.HasField("error")}
        assert errors == {emotion_pb2.FRAME_ERROR_CODE_DETECTOR_UNAVAILABLE}
    assert got[-1].recognition.faces[0].expression == emotion_pb2.EXPRESSION_HAPPINESS


def test_the_python_example_of_the_readme_runs(stack: Stack, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    assert len(example.splitlines()) <= 12
    picture = tmp_path / "face.jpg"
    picture.write_bytes(LEFT.jpeg(0))
    script = tmp_path / "example.py"
    script.write_text(example.replace("localhost:8080", f"localhost:{stack.settings.port}"))
    result = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert "HAPPINESS" in result.stdout


def test_nice_grpc_web_streams_unchanged(stack: Stack, tmp_path: Path) -> None:
    picture = tmp_path / "face.jpg"
    picture.write_bytes(LEFT.jpeg(0))
    result = subprocess.run(
        [ROOT / "build/node/bin/node", "web/interop/nice-grpc-web.mjs", stack.url, picture, "20"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    replies = json.loads(result.stdout)["replies"]
    assert [reply["frame_id"] for reply in replies] == list(range(1, 21))
    analysed = [reply for reply in replies if reply["outcome"] == "recognition"]
    assert analysed
    assert all(reply["faces"] for reply in analysed)


def _values(scores: emotion_pb2.ExpressionScores) -> list[float]:
    return [value for _, value in scores.ListFields()]
