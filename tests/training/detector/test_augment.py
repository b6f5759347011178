"""Canvases: labels stay on what they label, however it is turned, scaled, mirrored, cut."""

import cv2
import numpy as np
import pytest
from drawn import pictures
from hypothesis import given
from hypothesis import strategies as st

from training.detector.augment import (
    Canvases,
    cover,
    placing,
    recoloured,
    relight,
    shown,
    visible,
    warp_boxes,
    warp_landmarks,
)
from training.detector.labels import Labels

_NONE = np.empty((0, 4), np.float32)


def _labels(box: tuple[float, float, float, float]) -> Labels:
    array = np.array([box], np.float32)
    x, y, width, height = box
    points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
    landmarks = np.array([[(x + u * width, y + v * height) for u, v in points]], np.float32)
    return Labels(array, landmarks, _NONE)


@given(
    st.floats(0.3, 3),
    st.floats(-45, 45),
    st.booleans(),
)
def test_a_box_lies_around_the_oval_that_it_labels(
    scale: float, degrees: float, mirror: bool
) -> None:
    pixels = np.zeros((120, 140), np.uint8)
    labels = _labels((40, 30, 40, 60))
    cv2.ellipse(pixels, (59, 59), (20, 30), 0, 0, 360, 255, -1)
    matrix = placing(labels.boxes[0], scale, np.deg2rad(degrees), mirror, np.array([128.0, 120.0]))
    view = shown(pixels, labels, matrix, (256, 256), 0)
    rows, columns = np.nonzero(view.pixels > 127)
    start, end = view.boxes[0, :2], view.boxes[0, :2] + view.boxes[0, 2:]
    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    # An ellipse of whole pixels is larger than the one that is meant, by up to a pixel a side.
    np.testing.assert_allclose([*start, *end], edges, atol=1.5 + 1.5 * scale)


def test_in_a_mirror_left_and_right_change_places() -> None:
    labels = _labels((40, 30, 40, 60))
    matrix = placing(labels.boxes[0], 1, 0, True, np.array([60.0, 60.0]))
    points = warp_landmarks(labels.landmarks, matrix)[0]
    assert points[0, 0] < points[1, 0]  # the right eye is still on the left of the picture
    assert points[3, 0] < points[4, 0]
    np.testing.assert_allclose(points, labels.landmarks[0], atol=1e-3)


def test_a_quarter_turn_swaps_the_sides_of_a_box() -> None:
    matrix = placing(np.array([0, 0, 40, 60], np.float32), 1, np.pi / 2, False, np.array([50, 50]))
    box = warp_boxes(np.array([[0, 0, 40, 60]], np.float32), matrix)
    np.testing.assert_allclose(box, [[20, 30, 60, 40]], atol=1e-3)


def test_a_face_that_is_mostly_cut_off_is_unsure() -> None:
    labels = _labels((40, 30, 40, 60))
    matrix = np.array([[1.0, 0, -65], [0, 1, 0]])
    view = shown(np.zeros((120, 140), np.uint8), labels, matrix, (96, 96), 0)
    assert len(view.boxes) == 0
    np.testing.assert_allclose(view.unsure, [[0, 30, 15, 60]])


def test_visible_parts() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [-5, 0, 10, 10], [95, 95, 10, 10], [200, 0, 5, 5]], np.float32
    )
    np.testing.assert_allclose(visible(boxes, (100, 100)), [1, 0.5, 0.25, 0])


def test_canvases_are_the_same_for_the_same_seed_and_full_of_faces() -> None:
    made, known = pictures(12)
    canvases = Canvases(made, known, 192)
    one = [canvases.canvas(np.random.default_rng(seed)) for seed in range(40)]
    other = [Canvases(made, known, 192).canvas(np.random.default_rng(seed)) for seed in range(40)]
    for view, again in zip(one, other, strict=True):
        np.testing.assert_array_equal(view.pixels, again.pixels)
        np.testing.assert_array_equal(view.boxes, again.boxes)
        assert view.pixels.shape == (192, 192, 3)
        assert (visible(view.boxes, (192, 192)) > 0.3).all()
    assert sum(len(view.boxes) for view in one) > 40


def test_some_canvases_are_gray_some_tinted_and_most_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(60, 120, (32, 32, 3)).astype(np.uint8)
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    seen = [recoloured(pixels, np.random.default_rng(seed)) for seed in range(300)]
    assert 12 < sum(bool((one == gray[..., None]).all()) for one in seen) < 45
    assert 130 < sum(np.array_equal(one, pixels) for one in seen) < 210
    for one in seen:
        assert one.shape == pixels.shape
        assert one.dtype == np.uint8
        # Neither light nor dark: the middle of a channel moves by the gain at most.
        ratios = one.mean(axis=(0, 1)) / pixels.mean(axis=(0, 1))
        assert ((ratios > 0.7) & (ratios < 1.4)).all()


@pytest.mark.parametrize("change", [relight, None])
def test_light_and_covers_change_pixels_but_no_shape(change: object) -> None:
    made, known = pictures(4)
    view = Canvases(made, known, 96).canvas(np.random.default_rng(3))
    for seed in range(60):
        rng = np.random.default_rng(seed)
        pixels = relight(view.pixels, rng) if change else cover(view, rng).pixels
        assert pixels.shape == (96, 96, 3)
        assert pixels.dtype == np.uint8
