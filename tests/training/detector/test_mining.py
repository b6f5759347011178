"""What a network does wrong in its own pictures."""

import keras
import numpy as np
from drawn import pictures

from training.detector import mining, network
from training.detector.augment import Canvases, Spot


def test_a_face_is_found_where_half_of_it_is_covered() -> None:
    faces = np.array([[0, 0, 40, 40], [100, 0, 40, 40]], np.float32)
    answers = np.array([[105, 2, 40, 40], [25, 0, 40, 40]], np.float32)
    np.testing.assert_array_equal(mining.not_found(faces, answers), faces[:1])
    np.testing.assert_array_equal(mining.not_found(faces, answers[:0]), faces)


def test_a_network_that_answers_nothing_misses_every_face() -> None:
    keras.mixed_precision.set_global_policy("float32")
    made, known = pictures(6)
    alarms, missed = mining.mine(network.build(), made, known)
    wide = sum(
        int((one.boxes[:, 2] >= 14 * max(picture.colour().shape) / side).sum())
        for picture, one in zip(made, known, strict=True)
        for side in (320, 640)
    )
    assert not alarms
    assert len(missed) == wide > 0
    assert {spot.picture for spot in missed} <= set(range(6))


def test_missed_faces_are_shown_more_often() -> None:
    made, known = pictures(20)
    canvases = Canvases(made, known, 64)
    rare = next(i for i, one in enumerate(known) if len(one.boxes))
    spot = Spot(rare, known[rare].boxes[0])

    def times() -> int:
        rng = np.random.default_rng(0)
        drawn = [canvases._face(rng, (18.0, 60.0)) for _ in range(400)]
        assert all(17.9 <= scale * one.box[2] <= 60.1 for one, scale in drawn)
        return sum(one.picture == rare for one, _ in drawn)

    before = times()
    canvases.missed = [spot]
    assert times() > before + 50
