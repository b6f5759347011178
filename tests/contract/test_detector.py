"""The detector as its callers meet it: a real process, real gRPC, real pictures."""

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
import psutil
import pytest
from emotion.detector.v1 import detector_pb2, detector_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from PIL import Image
from running import PYTHON, RunningService, free_port
from unit.detector import pictures

SERVICE = "emotion.detector.v1.FaceDetectorService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

EMPTY = detector_pb2.IMAGE_ERROR_CODE_EMPTY
TOO_MANY_BYTES = detector_pb2.IMAGE_ERROR_CODE_TOO_MANY_BYTES
TOO_MANY_PIXELS = detector_pb2.IMAGE_ERROR_CODE_TOO_MANY_PIXELS
UNSUPPORTED = detector_pb2.IMAGE_ERROR_CODE_UNSUPPORTED_FORMAT
CORRUPT = detector_pb2.IMAGE_ERROR_CODE_CORRUPT


@pytest.fixture(scope="module")
def service() -> Iterator[RunningService]:
    with RunningService("emotion_detector") as running:
        yield running


@pytest.fixture
def channel(service: RunningService) -> Iterator[grpc.Channel]:
    with open_channel(service) as opened:
        yield opened


def open_channel(service: RunningService) -> grpc.Channel:
    return grpc.insecure_channel(
        service.address, options=[("grpc.max_send_message_length", 64 * 1024 * 1024)]
    )


def detect(channel: grpc.Channel, *files: bytes) -> list[detector_pb2.Detection]:
    request = detector_pb2.DetectRequest(images=[detector_pb2.Image(data=f) for f in files])
    stub = detector_pb2_grpc.FaceDetectorServiceStub(channel)
    return list(stub.Detect(request, timeout=60).detections)


def box_of(face: detector_pb2.DetectedFace) -> tuple[float, ...]:
    return face.x, face.y, face.width, face.height


def bad_files() -> dict[str, tuple[bytes, Any, str]]:
    jpeg = pictures.file(pictures.astronaut())
    png = pictures.file(pictures.astronaut(), "PNG")
    webp = pictures.file(pictures.astronaut(), "WebP")
    return {
        "no bytes": (b"", EMPTY, "no bytes"),
        "text": (b"this is not a picture", UNSUPPORTED, "JPEG, PNG or WebP"),
        "GIF": (pictures.file(Image.new("L", (9, 9)), "GIF"), UNSUPPORTED, "JPEG, PNG or WebP"),
        "JPEG cut short": (jpeg[: len(jpeg) // 2], CORRUPT, "damaged or cut short"),
        "PNG cut short": (png[: len(png) // 2], CORRUPT, "damaged or cut short"),
        "WebP cut short": (webp[: len(webp) // 2], CORRUPT, "damaged or cut short"),
        "only the start of a JPEG": (jpeg[:20], CORRUPT, "damaged or cut short"),
        "PNG without its pixels": (pictures.png_stating(300, 200), CORRUPT, "damaged"),
        "no pixels": (pictures.png_stating(0, 200), CORRUPT, "at least 1x1"),
        "5 MiB": (jpeg + bytes(5 * 1024 * 1024), TOO_MANY_BYTES, "at most 4,194,304"),
        "PNG of 120 million pixels": (
            pictures.png_stating(12_000, 10_000),
            TOO_MANY_PIXELS,
            "120,000,000 pixels (12000x10000); at most 40,000,000",
        ),
        "JPEG of 4 billion pixels": (
            pictures.jpeg_stating(jpeg, 65_000, 65_000),
            TOO_MANY_PIXELS,
            "send a smaller picture",
        ),
        "WebP of 256 million pixels": (
            pictures.webp_stating(16_000, 16_000),
            TOO_MANY_PIXELS,
            "send a smaller picture",
        ),
    }


BAD = bad_files()


def test_a_real_face_is_found_with_box_landmarks_and_chip(channel: grpc.Channel) -> None:
    [detection] = detect(channel, pictures.file(pictures.astronaut()))
    faces = detection.faces
    assert (faces.image_width, faces.image_height) == (512, 384)
    [face] = faces.faces
    assert pictures.overlap(box_of(face), pictures.FACE_BOX) > 0.5
    assert face.score > 0.7
    right_eye, left_eye, nose, right_mouth, left_mouth = np.reshape(face.landmarks, (5, 2))
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]
    assert len(faces.chips) == 2304
    chip = np.frombuffer(faces.chips, np.uint8).reshape(48, 48)
    x, y, width, height = (face.x * 512, face.y * 384, face.width * 512, face.height * 384)
    seen = pictures.luma(pictures.astronaut())[int(y) : int(y + height), int(x) : int(x + width)]
    assert chip.mean() == pytest.approx(seen.mean(), abs=25)
    assert detection.decode_us > 0
    assert detection.detect_us > 0


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_gets_its_error_and_leaves_its_neighbours_alone(
    channel: grpc.Channel, name: str
) -> None:
    good = pictures.file(pictures.astronaut())
    data, code, message = BAD[name]
    before, failed, after = detect(channel, good, data, good)
    assert len(before.faces.faces) == len(after.faces.faces) == 1
    assert failed.WhichOneof("outcome") == "error"
    assert failed.error.code == code
    assert message in failed.error.message


def test_a_batch_of_good_and_bad_pictures_is_answered_in_order(channel: grpc.Channel) -> None:
    files: list[bytes] = []
    expected: list[Any] = []
    for width, (data, code, _) in enumerate(BAD.values(), start=20):
        files += [pictures.file(Image.new("RGB", (width, 30))), data]
        expected += [width, code]
    answers = [d.faces.image_width or d.error.code for d in detect(channel, *files)]
    assert answers == expected


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_exif_orientation_changes_nothing_for_who_looks_at_the_picture(
    channel: grpc.Channel, kind: str
) -> None:
    files = [
        pictures.file(
            pictures.stored_for(pictures.astronaut(), orientation),
            kind,
            exif=pictures.exif(orientation),
        )
        for orientation in range(1, 9)
    ]
    found = [detection.faces for detection in detect(channel, *files)]
    for faces in found:
        assert (faces.image_width, faces.image_height) == (512, 384)
        [face] = faces.faces
        np.testing.assert_allclose(box_of(face), box_of(found[0].faces[0]), atol=0.01)
        np.testing.assert_allclose(face.landmarks, found[0].faces[0].landmarks, atol=0.01)
        chips = [np.frombuffer(f.chips, np.uint8).astype(int) for f in (faces, found[0])]
        assert np.abs(chips[0] - chips[1]).mean() < 5  # lossy WebP differs with the orientation


@pytest.mark.parametrize("count", [0, 65])
def test_a_batch_of_none_or_too_many_is_an_invalid_argument(
    channel: grpc.Channel, count: int
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        detect(channel, *[b"x"] * count)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == f"request has {count} images; 1 to 64 are expected"


def test_batches_at_the_same_time_never_mix(service: RunningService) -> None:
    """Each picture is of its own width and has the face at its own place."""
    files = [
        pictures.file(np.pad(pictures.astronaut(), ((0, 0), (margin, 0), (0, 0))))
        for margin in range(0, 96, 4)
    ]
    with open_channel(service) as channel:
        alone = [d.faces.SerializeToString(deterministic=True) for d in detect(channel, *files)]
        assert len(set(alone)) == len(files)

        def batch(seed: int) -> None:
            chosen = np.random.default_rng(seed).permutation(len(files))[:6]
            found = detect(channel, *(files[index] for index in chosen))
            assert [d.faces.SerializeToString(deterministic=True) for d in found] == [
                alone[index] for index in chosen
            ]

        with ThreadPoolExecutor(12) as pool:
            for outcome in [pool.submit(batch, seed) for seed in range(60)]:
                outcome.result()


def test_memory_returns_after_large_and_bad_pictures(service: RunningService) -> None:
    large = pictures.file(cv2.resize(pictures.astronaut(), (4000, 3000)))
    files = [large, *(data for data, _, _ in BAD.values())]
    rounds = 15
    assert rounds * len(files) >= 200
    with open_channel(service) as channel:
        for _ in range(rounds):  # until the allocator has what it keeps
            detect(channel, *files)
        before_mb = service.memory_mb()
        for _ in range(rounds):
            detect(channel, *files)
    assert service.memory_mb() < before_mb + 30


def test_pictures_leave_no_line_in_the_log(service: RunningService, channel: grpc.Channel) -> None:
    before = service.log
    detect(channel, pictures.file(pictures.astronaut()), b"", b"no picture")
    assert service.log == before


def test_reflection_names_the_service(channel: grpc.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    [answer] = stub.ServerReflectionInfo(iter([request]), timeout=10)
    assert SERVICE in [s.name for s in answer.list_services_response.service]


def test_sigterm_tells_watchers_lets_calls_end_and_exits_with_0() -> None:
    files = [pictures.file(cv2.resize(pictures.astronaut(), (2400, 1800)))] * 60
    with (
        RunningService("emotion_detector", "--drain-seconds", "3", "--threads", "1") as running,
        open_channel(running) as channel,
    ):
        seen: list[int] = []
        watched = threading.Event()

        def watch() -> None:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                for answer in stub.Watch(health_pb2.HealthCheckRequest(service=SERVICE)):
                    seen.append(answer.status)
                    watched.set()
            except grpc.RpcError:
                pass

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert watched.wait(10)
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(detect, channel, *files)
            time.sleep(0.15)
            assert not call.done()
            assert running.stop() == 0
            assert [len(d.faces.faces) for d in call.result(1)] == [1] * 60
        watcher.join(10)
    assert seen[0] == SERVING
    assert NOT_SERVING in seen


class Several(RunningService):
    """Two processes on Unix sockets."""

    def __init__(self, folder: Path) -> None:
        path = folder / "detector"
        super().__init__("emotion_detector", f"--unix-socket={path}", "--processes=2")
        self.addresses = [f"unix:{path}", f"unix:{path}.1"]
        self.address = self.addresses[1]  # the one to wait for

    def second(self) -> psutil.Process:
        (child,) = psutil.Process(self.process.pid).children()
        return child


def test_several_processes_answer_alike_and_stop_together(tmp_path: Path) -> None:
    blank = np.zeros((40, 60, 3), np.uint8)
    files = [pictures.file(pictures.astronaut()), pictures.file(blank, "PNG")]
    with Several(tmp_path) as running:
        second = running.second()
        answers = []
        for address in running.addresses:
            with grpc.insecure_channel(address) as channel:
                answers.append([found.faces for found in detect(channel, *files)])
        assert answers[0] == answers[1]
        assert [len(faces.faces) for faces in answers[0]] == [1, 0]
        assert running.stop() == 0
        assert not second.is_running()


@pytest.mark.parametrize("k", [0, 1])
def test_a_process_that_takes_longer_to_drain_is_not_cut_off_by_the_end_of_the_other(
    tmp_path: Path, k: int
) -> None:
    files = [pictures.file(pictures.astronaut())] * 60
    with (
        Several(tmp_path) as running,
        grpc.insecure_channel(
            running.addresses[k], options=[("grpc.max_send_message_length", 64 << 20)]
        ) as channel,
        ThreadPoolExecutor(1) as pool,
    ):
        call = pool.submit(detect, channel, *files)
        time.sleep(0.15)
        assert not call.done()
        assert running.stop() == 0
        assert [len(found.faces.faces) for found in call.result(1)] == [1] * 60


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_dies_ends_the_others_so_that_all_are_started_anew(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Several(tmp_path) as running:
        running.second().send_signal(number)
        assert running.process.wait(20) == 1


def test_no_process_outlives_the_first(tmp_path: Path) -> None:
    with Several(tmp_path) as running:
        second = running.second()
        running.kill()
        psutil.wait_procs([second], 20)
        assert not second.is_running()


def test_a_second_process_that_cannot_listen_is_a_clear_message_and_exit_1() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port + 1)):
        ended = subprocess.run(
            [PYTHON, "-m", "emotion_detector", "--port", str(port), "--processes", "2"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert f"127.0.0.1:{port + 1}: the port is taken" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_a_clear_message_and_exit_1(service: RunningService) -> None:
    ended = subprocess.run(
        [PYTHON, "-m", "emotion_detector", "--port", str(service.port)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert f"127.0.0.1:{service.port}: the port is taken" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "no-such.onnx"], "model no-such.onnx does not exist"),
        (["--model", __file__], "does not load"),
        (["--threads", "-1"], "--threads (or EMOTION_DETECTOR_THREADS) is '-1'"),
        (["--detection-size", "big"], "--detection-size"),
    ],
    ids=["missing model", "broken model", "threads", "detection size"],
)
def test_a_bad_setting_or_model_is_a_clear_message_and_exit_2(
    arguments: list[str], message: str
) -> None:
    ended = subprocess.run(
        [PYTHON, "-m", "emotion_detector", "--port", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert message in ended.stderr.splitlines()[-1]
    assert "serving" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_settings_are_printed_at_start(service: RunningService) -> None:
    first = json.loads(service.log.splitlines()[0])
    assert first["event"] == "settings"
    assert first["port"] == service.port
    assert first["detection_size"] == 320
