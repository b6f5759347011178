"""The load generator against a real gateway: what it counts is true, and its exit code follows."""

import asyncio
import json
import runpy
import subprocess
import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from deploy.manifests import K8S
from running import ROOT, RunningService

LOAD = ROOT / "deploy/load/load.py"


def load(*arguments: str) -> tuple[int, dict[str, float]]:
    done = subprocess.run(
        [sys.executable, LOAD, *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def detector() -> str:
    with RunningService("emotion_detector") as service:
        yield service.address


def test_frames_are_sent_at_the_rate_and_answered(detector: str) -> None:
    with RunningService(
        "emotion_gateway", "--websocket-port", "0", "--detector", detector
    ) as gateway:
        code, told = load(
            "--target", gateway.address, "--clients=3", "--seconds=2", "--frames-per-s=10",
            "--most-lost=0.5",
        )  # fmt: skip
    assert code == 0
    assert 55 <= told["sent"] <= 63  # 3 clients, 2 s, 10 a second
    assert told["analysed"] + told["dropped"] + told["failed"] == told["sent"]
    assert told["analysed"] > 30
    assert told["broken_streams"] == 0
    assert 0 < told["p50_ms"] <= told["p95_ms"] <= told["p99_ms"]


def test_it_fails_when_too_much_is_lost() -> None:
    with RunningService(
        "emotion_gateway", "--websocket-port", "0", "--detector", "127.0.0.1:1"
    ) as gateway:
        code, told = load(
            "--target", gateway.address, "--clients=1", "--seconds=1", "--most-lost=0.05"
        )
    assert code == 1
    assert told["analysed"] == 0
    assert told["failed"] > 0


def test_nobody_there_is_a_loss_too() -> None:
    code, told = load("--target", "127.0.0.1:1", "--clients=1", "--seconds=1", "--most-lost=0.05")
    assert code == 1
    assert told["broken_streams"] > 0


def test_the_job_gives_it_flags_that_it_has() -> None:
    documents = yaml.safe_load_all((K8S / "components/load/job.yaml").read_text())
    (job,) = [d for d in documents if d["kind"] == "Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    flags = [a for a in container["args"] if not a.startswith(("--target", "--seconds"))]
    code, told = load("--target=127.0.0.1:1", "--seconds=0.2", *flags)
    assert code == 1
    assert told["lost_share"] == 1


class _StreamsThatGrpcioCancels:
    """In place of the stub: grpcio cancels a call whose connection is refused at a bad moment."""

    def __init__(self, _: object) -> None:
        pass

    async def StreamRecognize(self, *_: object, **__: object) -> AsyncIterator[Any]:  # noqa: N802
        await asyncio.sleep(0)
        raise asyncio.CancelledError
        yield


class _StreamsWithoutAnEnd(_StreamsThatGrpcioCancels):
    async def StreamRecognize(self, *_: object, **__: object) -> AsyncIterator[Any]:  # noqa: N802
        await asyncio.sleep(60)
        yield


@pytest.fixture
def generator() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(LOAD)))


def play(generator: SimpleNamespace, stub: type, seconds: float) -> tuple[Any, Any]:
    generator.play.__globals__["emotion_pb2_grpc"] = SimpleNamespace(EmotionServiceStub=stub)
    tally = generator.Tally()
    return generator.play(None, b"", 100.0, seconds, tally), tally


async def test_a_call_that_grpcio_cancels_is_a_broken_stream(generator: SimpleNamespace) -> None:
    playing, tally = play(generator, _StreamsThatGrpcioCancels, 0.2)
    await playing
    assert tally.broken_streams > 0


async def test_a_client_that_is_cancelled_ends(generator: SimpleNamespace) -> None:
    playing, tally = play(generator, _StreamsWithoutAnEnd, 60)
    task = asyncio.create_task(playing)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tally.broken_streams == 0
