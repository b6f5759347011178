"""compose.yaml with the embedded classifier, started by podman-compose, serves clients."""

import json
import subprocess
import sys
import urllib.request

from deploy.containers.podman import Podman
from running import ROOT, free_port


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
        done = subprocess.run(
            [
                sys.executable, ROOT / "deploy/load/load.py", "--target", target,
                "--clients=2", "--seconds=8", "--frames-per-s=5", "--most-lost=0.6",
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
