"""podman with our images, for all tests of containers; or why there is none."""

import hashlib
import os
import shutil
import subprocess

import pytest
from deploy.containers.podman import PIECES, CannotRun, Podman, needs_kustomize
from running import ROOT


def made_by(image: str) -> str:
    """Which state of ``base.sh`` made an image; empty if there is none."""
    done = subprocess.run(
        ["podman", "image", "inspect", "--format", '{{index .Labels "script"}}', image],
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def base_images() -> dict[str, str]:
    """BUILD_IMAGE and BASE_IMAGE: the environment's, or made here once."""
    given = {k: os.environ[k] for k in ("BUILD_IMAGE", "BASE_IMAGE") if k in os.environ}
    if len(given) == 2:
        return given
    names = {
        "BUILD_IMAGE": "localhost/emotion-recognizer/base-build",
        "BASE_IMAGE": "localhost/emotion-recognizer/base",
    }
    script = ROOT / "deploy/images/base.sh"
    state = hashlib.sha256(script.read_bytes()).hexdigest()[:16]
    if any(made_by(name) != state for name in names.values()):
        if not shutil.which("mmdebstrap"):
            raise CannotRun("mmdebstrap, which makes the base image, is not installed")
        done = subprocess.run([script], capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise CannotRun(f"the base image cannot be made: {done.stderr[-500:]}")
    return names


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    """podman with all images built."""
    folder = tmp_path_factory.mktemp("podman")
    try:
        needs_kustomize()
        if not shutil.which("podman"):
            raise CannotRun("podman is not installed (Debian: apt-get install podman runc)")
        bases = base_images()
        podman = Podman(folder, bases["BASE_IMAGE"])
    except CannotRun as error:
        pytest.skip(f"containers are NOT tested: {error}")
    done = subprocess.run(
        [ROOT / "deploy/images/build.sh", *PIECES],
        env=os.environ | bases | {"ENGINE": "podman", "BUILDAH_ISOLATION": "chroot"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return podman
