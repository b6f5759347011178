"""Figures of quality, on scores of which they are known."""

import numpy as np
import pytest

from training.classifier import evaluate


def test_quality_of_known_scores() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]], np.float32)
    result = evaluate.quality(scores, np.array([0, 0, 1, 1]))
    assert result.accuracy == 0.75
    assert result.recall == pytest.approx([1, 0.5])
    assert result.precision == pytest.approx([2 / 3, 1])
    assert result.confusion.tolist() == [[2, 0], [1, 1]]


def test_scores_that_mean_what_they_say_have_no_calibration_error() -> None:
    scores = np.tile(np.array([0.75, 0.25], np.float32), (400, 1))
    classes = (np.arange(400) % 4 == 0).astype(np.int64)
    assert calibration_error(scores, classes) == pytest.approx(0, abs=1e-6)
    assert calibration_error(scores, np.zeros(400, np.int64)) == pytest.approx(0.25)


def calibration_error(scores: np.ndarray, classes: np.ndarray) -> float:
    return evaluate.calibration_error(evaluate.reliability(scores, classes))


def test_reliability_has_faces_mean_score_and_part_right_by_height_of_score() -> None:
    scores = np.array([[0.6, 0.4], [0.7, 0.3], [0.05, 0.95], [1, 0]], np.float32)
    found = evaluate.reliability(scores, np.array([0, 1, 1, 0]), bins=2)
    assert found[0].tolist() == [0, 0, 0]
    assert found[1] == pytest.approx([4, 0.8125, 0.75])


def test_the_temperature_undoes_too_sure_scores() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (4000, 8)).astype(np.float32)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = np.array([rng.choice(8, p=row / row.sum()) for row in chances.astype(np.float64)])
    assert evaluate.best_temperature(2 * logits, classes) == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("name", evaluate.CONDITIONS)
def test_conditions_keep_size_and_dtype(name: str) -> None:
    face = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    changed = evaluate.CONDITIONS[name](face)
    assert changed.shape == (48, 48)
    assert changed.dtype == np.uint8
    assert (name == "as it is") == bool(np.array_equal(changed, face))
