"""Labels: what several looks agree on, and what becomes of it beside people's boxes."""

import numpy as np
from emotion_detector.boxes import NO_FACES, Faces
from hypothesis import given
from hypothesis import strategies as st

from training.detector.data import Picture
from training.detector.labels import combine, overlaps, vote


def _faces(*rows: tuple[float, float, float, float, float]) -> Faces:
    values = np.array(rows, np.float32).reshape(-1, 5)
    landmarks = np.repeat(values[:, None, :2], 5, axis=1)
    return Faces(values[:, :4], landmarks, values[:, 4])


def _picture(*, people: bool = False, face_free: bool = False, boxes: object = ()) -> Picture:
    array = np.array(boxes, np.float32).reshape(-1, 4)
    none = np.empty((0, 4), np.float32)
    return Picture("", "", people, array, ("",) * len(array), none, face_free, False, b"")


@given(
    st.lists(
        st.tuples(*[st.floats(0, 100, width=32)] * 2, *[st.floats(1, 100, width=32)] * 2),
        min_size=1,
        max_size=6,
    )
)
def test_a_box_overlaps_itself_wholly_and_others_no_more(boxes: list[tuple[float, ...]]) -> None:
    array = np.array(boxes, np.float32)
    ratios = overlaps(array, array)
    np.testing.assert_allclose(ratios, ratios.T, atol=1e-4)
    np.testing.assert_allclose(np.diag(ratios), 1, atol=1e-3)
    assert (ratios <= 1.001).all()


def test_looks_that_agree_make_one_face_between_them() -> None:
    looks = [(_faces((10, 10, 40, 50, 0.9)), 1.0), (_faces((14, 10, 40, 50, 0.9)), 1.0)]
    found = vote(looks)
    np.testing.assert_allclose(found.boxes, [[12, 10, 40, 50]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9], atol=1e-6)


def test_a_face_that_half_of_the_looks_miss_has_half_the_score() -> None:
    assert vote([(_faces((10, 10, 40, 50, 0.8)), 1.0), (NO_FACES, 1.0)]).scores[0] == np.float32(
        0.4
    )


def test_looks_at_which_a_face_is_too_small_have_no_vote() -> None:
    looks = [(_faces((10, 10, 12, 12, 0.8)), 1.0), (NO_FACES, 0.5)]
    assert vote(looks).scores[0] == np.float32(0.8)


def test_no_looks_no_faces() -> None:
    assert len(vote([(NO_FACES, 1.0)])) == 0


def test_peoples_boxes_stay_and_others_beside_them_are_unsure() -> None:
    voted = _faces((10, 10, 40, 50, 0.9), (100, 10, 40, 50, 0.9), (200, 10, 40, 50, 0.1))
    labels = combine(_picture(people=True, boxes=[(12, 10, 40, 50), (300, 0, 9, 9)]), voted)
    np.testing.assert_array_equal(labels.boxes, [(12, 10, 40, 50), (300, 0, 9, 9)])
    assert np.isfinite(labels.landmarks[0]).all()
    assert np.isnan(labels.landmarks[1]).all()
    np.testing.assert_array_equal(labels.unsure, [(100, 10, 40, 50)])


def test_elsewhere_sure_votes_are_faces_and_doubtful_ones_unsure() -> None:
    voted = _faces((10, 10, 40, 50, 0.9), (100, 10, 40, 50, 0.4))
    labels = combine(_picture(boxes=[(10, 10, 40, 50), (200, 10, 40, 50)]), voted)
    np.testing.assert_array_equal(labels.boxes, [(10, 10, 40, 50)])
    np.testing.assert_array_equal(labels.unsure, [(200, 10, 40, 50), (100, 10, 40, 50)])


def test_in_a_face_free_picture_nothing_is_a_face_nor_unsure() -> None:
    labels = combine(_picture(face_free=True), _faces((10, 10, 40, 50, 0.9)))
    assert len(labels.boxes) == len(labels.unsure) == 0
