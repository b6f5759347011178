"""compose.yaml with the embedded classifier, started by podman-compose, serves clients."""

import json
import subprocess
import sys
import time
import urllib.request

import grpc
import pytest
from clips import LEFT
from deploy.containers.podman import Podman
from emotion.v1 import emotion_pb2, emotion_pb2_grpc
from running import ROOT, free_port

# The first test of the folder waits until all images are built.
pytestmark = pytest.mark.timeout(900)


def wait_until_it_answers(target: str, seconds: float = 60.0) -> None:
    """Containers are started, not yet ready, when the command returns."""
    deadline = time.monotonic() + seconds
    with grpc.insecure_channel(target) as channel:
        stub = emotion_pb2_grpc.EmotionServiceStub(channel)
        while True:
            try:
                stub.Recognize(emotion_pb2.RecognizeRequest(image=LEFT.jpeg(0)), timeout=5)
                return
            except grpc.RpcError:
                assert time.monotonic() < deadline
                time.sleep(0.2)


def test_one_command_starts_everything(podman: Podman) -> None:
    port = free_port()
    files = ("-f", str(ROOT / "compose.yaml"), "-f", str(ROOT / "compose.embedded.yaml"))

    def compose(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "build/venv/bin/podman-compose", "-p", "emotion-test", *files, *arguments],
            env=podman.environment | {"EMOTION_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=180,
            cwd=ROOT,
        )

    try:
        up = compose("up", "-d", "--no-build")
        assert up.returncode == 0, up.stdout + up.stderr
        target = f"127.0.0.1:{port}"
        wait_until_it_answers(target)
        done = subprocess.run(
            [
                sys.executable, ROOT / "deploy/load/load.py", "--target", target,
                "--clients=2", "--seconds=8", "--frames-per-s=5", "--most-lost=0.5",
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout)["analysed"] > 0
        with urllib.request.urlopen(f"http://{target}/", timeout=10) as answer:
            assert b"<!doctype html>" in answer.read().lower()
    finally:
        compose("down")
