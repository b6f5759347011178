"""Sizes of the images, where an engine has them."""

import os
import shutil
import subprocess

from benchmarks.bench import Bench

PIECES = ("gateway", "detector", "classifier", "page", "envoy")
ENGINES = ("docker", "podman")


def measure_images(bench: Bench) -> None:
    """On disk, the base included; ``make images`` builds them."""
    engine = _engine()
    if engine is None:
        bench.figures.note(
            f"image sizes are not measured: none of {', '.join(ENGINES)} works here; "
            "docs/kubernetes.md has those of an earlier build"
        )
        return
    prefix = os.environ.get("IMAGE_PREFIX", "emotion-recognizer")
    version = os.environ.get("VERSION", "0.1.0")
    for piece in PIECES:
        name = f"{prefix}/{piece}:{version}"
        size = _output(engine, "image", "inspect", "--format", "{{.Size}}", name)
        if size is None:
            bench.figures.note(f"image.{piece} is not measured: {engine} has no {name}")
        else:
            bench.figures.add(f"image.{piece}_mb", int(size) / 1e6, "MB", "on disk, with its base")


def _engine() -> str | None:
    """The first engine that works."""
    for engine in ENGINES:
        if shutil.which(engine) and _output(engine, "info") is not None:
            return engine
    return None


def _output(*command: str) -> str | None:
    """What a command prints; None if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
