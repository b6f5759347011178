"""Served LiteRT models as functions."""

from pathlib import Path

import numpy as np
import pytest

from training import litert
from training.folder import DataError, newest_version

_FILE = newest_version() / "model.tflite"


def test_the_served_version_scores_eight_expressions() -> None:
    faces = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    scores = litert.classifier(_FILE)(faces)
    assert scores.shape == (3, 8)
    assert scores.dtype == np.float32
    assert scores.sum(axis=1) == pytest.approx(np.ones(3), abs=0.05)
    assert np.array_equal(litert.classifier(_FILE)(faces[2:]), scores[2:])


def test_signatures_are_told_and_others_refused() -> None:
    assert "serving_default" in litert.signatures(_FILE)
    with pytest.raises(DataError, match="no signature 'other'"):
        litert.classifier(_FILE, "other")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*model.tflite"):
        litert.classifier(tmp_path / "model.tflite")


@pytest.mark.parametrize("part", [0, 100, 100_000])
def test_a_damaged_file_is_named(part: int, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(_FILE.read_bytes()[:part])
    with pytest.raises(DataError, match=r"model.tflite is"):
        litert.signatures(file)
