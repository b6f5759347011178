"""Sizes of images come from the first engine that works; what is missing is told."""

from pathlib import Path

import pytest

from benchmarks.bench import Bench
from benchmarks.parts.images import PIECES, measure_images


def engine(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_sizes_are_those_of_the_engine_that_works(programs: Path) -> None:
    engine(programs, "docker", "exit 1")
    engine(
        programs,
        "podman",
        'case "$1 $5" in "info "|"image emotion-recognizer/page:0.1.0") ;; '
        '"image "*) exit 1 ;; esac; echo 52000000',
    )
    bench = Bench(1.0, 1)
    measure_images(bench)
    assert [(f.key, f.median) for f in bench.figures.all()] == [("image.page_mb", 52.0)]
    assert len(bench.figures.notes) == len(PIECES) - 1


def test_without_an_engine_it_is_said(programs: Path) -> None:
    engine(programs, "docker", "exit 1")
    bench = Bench(1.0, 1)
    measure_images(bench)
    assert not list(bench.figures.all())
    assert "not measured" in bench.figures.notes[0]
