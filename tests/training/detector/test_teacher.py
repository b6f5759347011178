"""A teacher's answers and the labels become one target."""

import numpy as np

from training.detector import targets
from training.detector.augment import View
from training.detector.network import BOX, CLASS, LANDMARKS, OBJECT
from training.detector.targets import encode
from training.detector.teacher import taught

_SIDE = 128
_FACE = np.array([[40, 30, 40, 50]], np.float32)
_POINTS = (_FACE[:, None, :2] + np.linspace(0.2, 0.8, 5)[:, None] * _FACE[:, None, 2:]).astype(
    np.float32
)
_NO_BOX, _NO_POINTS = np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32)


class _Teacher:
    """Says ``score`` where ``encode`` puts the face, and nothing elsewhere."""

    def __init__(self, score: float, box: np.ndarray = _FACE) -> None:
        target = encode(box, _POINTS, _NO_BOX, _SIDE, _SIDE)
        self.cells = target[:, 0] == targets.FACE
        self._answers = np.zeros((len(target), 16), np.float32)
        self._answers[self.cells, CLASS] = self._answers[self.cells, OBJECT] = score
        self._answers[:, BOX] = target[:, targets.BOX]
        self._answers[:, LANDMARKS] = target[:, targets.LANDMARKS]

    def answers(self, pixels: np.ndarray) -> np.ndarray:
        assert pixels.shape == (_SIDE, _SIDE, 3)
        return self._answers.copy()


def _view(boxes: np.ndarray, points: np.ndarray, unsure: np.ndarray = _NO_BOX) -> View:
    return View(np.zeros((_SIDE, _SIDE, 3), np.uint8), boxes, points, unsure)


def test_a_face_that_both_know_is_as_the_teacher_has_it() -> None:
    teacher = _Teacher(0.95)
    target = taught(_view(_FACE + np.float32([2, 2, 0, 0]), _POINTS), teacher)
    hard = encode(_FACE, _POINTS, _NO_BOX, _SIDE, _SIDE)
    cells = teacher.cells
    np.testing.assert_allclose(target[cells, targets.STATE], 0.95)
    np.testing.assert_allclose(target[cells, targets.CLASS], 0.95)
    np.testing.assert_allclose(target[cells, targets.WEIGHT], 0.95)
    np.testing.assert_allclose(target[cells, targets.BOX], hard[cells, targets.BOX])
    np.testing.assert_allclose(target[cells, targets.LANDMARKS], hard[cells, targets.LANDMARKS])
    np.testing.assert_allclose(target[cells, targets.SIZE], hard[cells, targets.SIZE], rtol=1e-5)
    assert not target[~cells, targets.STATE].any()
    assert not target[~cells, targets.WEIGHT].any()


def test_a_doubtful_answer_for_a_labelled_face_is_raised() -> None:
    teacher = _Teacher(0.45)
    target = taught(_view(_FACE, _POINTS), teacher)
    np.testing.assert_allclose(target[teacher.cells, targets.STATE], 0.9, rtol=1e-5)


def test_a_face_that_the_teacher_misses_is_as_the_labels_have_it() -> None:
    target = taught(_view(_FACE, _POINTS), _Teacher(0.0))
    hard = encode(_FACE, _POINTS, _NO_BOX, _SIDE, _SIDE)
    np.testing.assert_array_equal(target, hard)
    assert (target[:, targets.STATE] == targets.FACE).any()
    assert (target[:, targets.STATE] == targets.UNSURE).any()


def test_the_teachers_false_alarm_is_none() -> None:
    target = taught(_view(_NO_BOX, _NO_POINTS), _Teacher(0.9))
    assert not target[:, targets.STATE].any()
    assert not target[:, targets.WEIGHT].any()


def test_in_an_unsure_area_the_teacher_is_believed() -> None:
    teacher = _Teacher(0.7)
    target = taught(_view(_NO_BOX, _NO_POINTS, _FACE), teacher)
    np.testing.assert_allclose(target[teacher.cells, targets.STATE], 0.7)
    assert not target[~teacher.cells, targets.STATE].any()
