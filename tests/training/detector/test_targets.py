"""What the network should answer: faces go to cells and come back through the service's decoder."""

import numpy as np
from emotion_detector.boxes import decode, suppress
from hypothesis import given
from hypothesis import strategies as st

from training.detector import targets
from training.detector.network import ANSWERS, BOX, CLASS, LANDMARKS, OBJECT

_WIDTH, _HEIGHT = 192, 128
_NONE = np.empty((0, 4), np.float32)


def _perfect(target: np.ndarray) -> np.ndarray:
    """Answers [A, 16] of a network that does exactly as told; unsure cells say nothing."""
    answers = np.zeros((len(target), ANSWERS), np.float32)
    score = np.where(target[:, targets.STATE] == targets.FACE, 9, -9)
    answers[:, CLASS] = answers[:, OBJECT] = score
    answers[:, BOX] = target[:, targets.BOX]
    answers[:, LANDMARKS] = target[:, targets.LANDMARKS]
    return answers


@st.composite
def _boxes(draw: st.DrawFn) -> np.ndarray:
    width = draw(st.floats(8, 150))
    height = width * draw(st.floats(0.8, 1.4))
    x = draw(st.floats(0, _WIDTH - 1)) - width / 2
    y = draw(st.floats(0, _HEIGHT - 1)) - height / 2
    return np.array([[x, y, width, height]], np.float32)


@given(_boxes())
def test_a_face_comes_back_as_it_was(boxes: np.ndarray) -> None:
    points = boxes[:, None, :2] + np.linspace(0.2, 0.8, 5)[:, None] * boxes[:, None, 2:]
    points = points.astype(np.float32)
    target = targets.encode(boxes, points, _NONE, _WIDTH, _HEIGHT)
    outputs = targets.levels(_perfect(target), _WIDTH, _HEIGHT)
    found = suppress(decode(outputs, _WIDTH, 0.5))
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes, boxes, atol=0.02)
    np.testing.assert_allclose(found.landmarks, points, atol=0.02)


def test_landmarks_that_nobody_knows_are_marked() -> None:
    boxes = np.array([[50, 40, 40, 50]], np.float32)
    unknown = np.full((1, 5, 2), np.nan, np.float32)
    target = targets.encode(boxes, unknown, _NONE, _WIDTH, _HEIGHT)
    face = target[:, 0] == targets.FACE
    assert face.any()
    assert not target[:, targets.KNOWN].any()
    assert np.isfinite(target).all()


def test_unsure_areas_are_neither_face_nor_none() -> None:
    area = np.array([[64, 32, 64, 64]], np.float32)
    no_faces, no_points = np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32)
    target = targets.encode(no_faces, no_points, area, _WIDTH, _HEIGHT)
    fine = target[: (_WIDTH // 8) * (_HEIGHT // 8), 0].reshape(_HEIGHT // 8, _WIDTH // 8)
    assert (fine[4:13, 8:17] == targets.UNSURE).all()
    assert (fine == targets.UNSURE).sum() == 81
    assert (target[:, 0] != targets.FACE).all()


def test_a_face_in_an_unsure_area_is_a_face() -> None:
    box = np.array([[70, 40, 40, 50]], np.float32)
    points = np.zeros((1, 5, 2), np.float32)
    target = targets.encode(box, points, box - np.float32([8, 8, -16, -16]), _WIDTH, _HEIGHT)
    assert (target[:, 0] == targets.FACE).any()
