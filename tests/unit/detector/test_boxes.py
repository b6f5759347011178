"""Outputs of the network become faces; of overlapping ones the best stays."""

import numpy as np
import pytest
from emotion_detector.boxes import (
    NO_FACES,
    Faces,
    choose,
    clip,
    decode,
    join,
    outside,
    steady,
    suppress,
    voting_score,
)
from emotion_detector.network import STRIDES
from hypothesis import given
from hypothesis import strategies as st

WIDTH, HEIGHT = 320, 256


def outputs_with(
    stride: int, column: int, row: int, face: Faces, cls: float, obj: float
) -> list[tuple[np.ndarray, ...]]:
    """What a network gives that sees ``face`` (N = 1) in one cell, and nothing elsewhere."""
    outputs = []
    for s in STRIDES:
        cells = (WIDTH // s) * (HEIGHT // s)
        arrays = tuple(np.zeros((cells, n), np.float32) for n in (1, 1, 4, 10))
        if s == stride:
            cell = row * (WIDTH // s) + column
            left, top, width, height = face.boxes[0] / s
            origin = np.array([column, row])
            arrays[0][cell], arrays[1][cell] = cls, obj
            arrays[2][cell, :2] = np.array([left + width / 2, top + height / 2]) - origin
            arrays[2][cell, 2:] = np.log([width, height])
            arrays[3][cell] = (face.landmarks[0] / s - origin).ravel()
        outputs.append(arrays)
    return outputs


def faces_of(boxes: list[tuple[float, ...]], scores: list[float]) -> Faces:
    count = len(boxes)
    return Faces(
        np.array(boxes, np.float32).reshape(count, 4),
        np.zeros((count, 5, 2), np.float32),
        np.array(scores, np.float32),
    )


lengths = st.floats(1, 300, width=32)
corners = st.floats(-50, 300, width=32)
some_boxes = st.lists(st.tuples(corners, corners, lengths, lengths), min_size=1, max_size=30)


@given(
    stride=st.sampled_from(STRIDES),
    cell=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    box=st.tuples(corners, corners, lengths, lengths),
    points=st.lists(corners, min_size=10, max_size=10),
    cls=st.floats(0.625, 1, width=32),
    obj=st.floats(0.625, 1, width=32),
)
def test_decoding_gives_back_the_face_that_was_encoded(
    stride: int,
    cell: tuple[float, float],
    box: tuple[float, ...],
    points: list[float],
    cls: float,
    obj: float,
) -> None:
    face = Faces(
        np.array([box], np.float32),
        np.array(points, np.float32).reshape(1, 5, 2),
        np.sqrt(np.array([cls * obj], np.float32)),
    )
    column, row = int(cell[0] * (WIDTH // stride)), int(cell[1] * (HEIGHT // stride))
    found = decode(outputs_with(stride, column, row, face, cls, obj), WIDTH, 0.5)
    np.testing.assert_allclose(found.boxes, face.boxes, atol=0.01)
    np.testing.assert_allclose(found.landmarks, face.landmarks, atol=0.01)
    np.testing.assert_allclose(found.scores, face.scores, rtol=1e-5)


def test_a_cell_below_the_score_is_no_face() -> None:
    face = faces_of([(10, 10, 40, 40)], [0.6])
    outputs = outputs_with(8, 3, 3, face, cls=0.6, obj=0.6)
    assert len(decode(outputs, WIDTH, 0.59)) == 1
    assert len(decode(outputs, WIDTH, 0.61)) == 0


def test_no_candidates_is_no_face() -> None:
    assert len(suppress(faces_of([], []))) == 0


@given(boxes=some_boxes, seed=st.integers(0, 1000))
def test_faces_that_stay_do_not_overlap_and_each_that_went_had_a_better_rival(
    boxes: list[tuple[float, ...]], seed: int
) -> None:
    scores = np.random.default_rng(seed).permutation(len(boxes)) / len(boxes)
    faces = faces_of(boxes, scores.tolist())
    kept = suppress(faces)
    assert kept.scores.tolist() == sorted(kept.scores.tolist(), reverse=True)
    assert kept.scores[0] == faces.scores.max()

    def rivals(one: np.ndarray, other: np.ndarray) -> bool:
        width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
        height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
        shared = max(width, 0) * max(height, 0)
        areas = one[2] * one[3], other[2] * other[3]
        return shared > 0.299 * (sum(areas) - shared) or shared > 0.649 * min(areas)

    for index, box in enumerate(kept.boxes):
        for other in kept.boxes[:index]:
            width = min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])
            height = min(box[1] + box[3], other[1] + other[3]) - max(box[1], other[1])
            shared = max(width, 0) * max(height, 0)
            assert shared <= 0.301 * (box[2] * box[3] + other[2] * other[3] - shared)
            assert shared <= 0.651 * min(box[2] * box[3], other[2] * other[3])
    stayed = set(kept.scores.tolist())
    for box, score in zip(faces.boxes, faces.scores, strict=True):
        if score not in stayed:
            better = kept.boxes[kept.scores > score]
            assert any(rivals(box, other) for other in better)


def test_a_part_of_a_face_is_no_face_of_its_own() -> None:
    kept = suppress(faces_of([(0, 0, 100, 100), (30, 30, 25, 25)], [0.9, 0.8]))
    assert kept.boxes.tolist() == [[0, 0, 100, 100]]


def test_a_face_is_the_mean_of_what_overlaps_it_weighted_by_score() -> None:
    candidates = faces_of([(0, 0, 40, 40), (4, 0, 40, 40), (30, 0, 40, 40)], [0.8, 0.4, 0.7])
    steadied = steady(candidates.take(slice(1)), candidates)
    np.testing.assert_allclose(steadied.boxes, [[0.8, 0, 40, 40]], atol=1e-3)
    assert steadied.scores.tolist() == candidates.scores[:1].tolist()


def test_cells_too_weak_to_be_a_face_still_tell_where_it_is() -> None:
    candidates = faces_of([(0, 0, 40, 40), (4, 0, 40, 40), (90, 0, 40, 40)], [0.8, 0.4, 0.4])
    chosen = choose(candidates, 0.5)
    np.testing.assert_allclose(chosen.boxes, [[0.8, 0, 40, 40]], atol=1e-3)
    assert chosen.scores.tolist() == candidates.scores[:1].tolist()


@given(min_score=st.floats(0.001, 1))
def test_cells_that_vote_are_never_all_and_never_fewer_than_faces(min_score: float) -> None:
    assert min(min_score, 0.05) <= voting_score(min_score) <= min_score


@given(boxes=some_boxes)
def test_faces_that_nothing_else_overlaps_stay_where_they_are(
    boxes: list[tuple[float, ...]],
) -> None:
    kept = suppress(faces_of(boxes, [0.5] * len(boxes)))
    np.testing.assert_allclose(steady(kept, kept).boxes, kept.boxes, rtol=1e-5, atol=1e-4)
    assert len(steady(NO_FACES, kept)) == 0


def test_only_faces_beside_the_others_are_outside() -> None:
    faces = faces_of([(0, 0, 10, 10), (45, 0, 10, 10), (200, 0, 10, 10)], [0.9, 0.8, 0.7])
    others = faces_of([(0, 0, 50, 50)], [0.6])
    assert outside(faces, others).boxes[:, 0].tolist() == [45, 200]
    assert len(outside(faces, faces_of([], []))) == 3


@given(boxes=some_boxes)
def test_clipped_boxes_lie_inside_and_hold_what_was_inside(boxes: list[tuple[float, ...]]) -> None:
    given_boxes = np.array(boxes, np.float32)
    clipped = clip(given_boxes, 200, 100)
    assert (clipped >= 0).all()
    assert (clipped[:, 0] + clipped[:, 2] <= 200.001).all()
    assert (clipped[:, 1] + clipped[:, 3] <= 100.001).all()
    inside = (
        (given_boxes[:, :2] >= 0).all(axis=1)
        & (given_boxes[:, 0] + given_boxes[:, 2] <= 200)
        & (given_boxes[:, 1] + given_boxes[:, 3] <= 100)
    )
    np.testing.assert_allclose(clipped[inside], given_boxes[inside], atol=1e-3)


def test_scaling_moves_boxes_and_landmarks_alike() -> None:
    face = Faces(
        np.array([[1, 2, 3, 4]], np.float32),
        np.arange(10, dtype=np.float32).reshape(1, 5, 2),
        np.array([0.5], np.float32),
    )
    scaled = join([face, face]).scaled(2, 10)
    assert scaled.boxes.tolist() == [[2, 20, 6, 40]] * 2
    assert scaled.landmarks[1].tolist() == [[0, 10], [4, 30], [8, 50], [12, 70], [16, 90]]
    assert scaled.scores.tolist() == pytest.approx([0.5, 0.5])
