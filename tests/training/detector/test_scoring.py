"""Which detections are right, and the curves made of them."""

import numpy as np
from emotion_detector.boxes import NO_FACES, Faces

from training.detector.labels import Labels
from training.detector.scoring import (
    judge,
    precision_at,
    recall_at,
    threshold_at,
    together,
)


def _found(*rows: tuple[float, float, float, float, float]) -> Faces:
    values = np.array(rows, np.float32)
    return Faces(values[:, :4], np.zeros((len(rows), 5, 2), np.float32), values[:, 4])


def _truth(boxes: object, unsure: object = ()) -> Labels:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    areas = np.array(unsure, np.float32).reshape(-1, 4)
    return Labels(array, np.zeros((len(array), 5, 2), np.float32), areas)


def test_a_face_is_found_once() -> None:
    found = _found((0, 0, 30, 30, 0.9), (1, 0, 30, 30, 0.8))
    judged = judge(found, _truth([(0, 0, 30, 30)]), 20)
    np.testing.assert_array_equal(judged.right, [True, False])
    assert judged.faces == 1


def test_small_faces_are_neither_right_nor_wrong() -> None:
    judged = judge(_found((0, 0, 10, 10, 0.9)), _truth([(0, 0, 10, 10)]), 20)
    assert (len(judged.scores), judged.faces) == (0, 0)
    assert len(judge(_found((50, 0, 10, 10, 0.9)), _truth([]), 20).scores) == 0


def test_detections_in_unsure_areas_do_not_count() -> None:
    found = _found((0, 0, 30, 30, 0.9), (100, 0, 30, 30, 0.8))
    judged = judge(found, _truth([], [(0, 0, 40, 40)]), 20)
    np.testing.assert_allclose(judged.scores, [0.8], atol=1e-6)


def test_recall_threshold_and_precision_of_two_pictures() -> None:
    one = judge(_found((0, 0, 30, 30, 0.9), (99, 0, 30, 30, 0.6)), _truth([(0, 0, 30, 30)]), 20)
    other = judge(_found((0, 0, 30, 30, 0.5)), _truth([(0, 0, 30, 30), (200, 0, 30, 30)]), 20)
    both = together([one, other, judge(NO_FACES, _truth([]), 20)])
    assert (both.faces, both.pictures) == (3, 3)
    assert recall_at(both, 0) == 1 / 3
    assert recall_at(both, 1 / 3) == 2 / 3
    assert threshold_at(both, 0) == np.float32(0.9)
    assert precision_at(both, 0.3) == 1
    assert precision_at(both, 0.6) == 2 / 3
    assert precision_at(both, 0.9) == 0
