"""Looking around known faces finds them as looking everywhere would."""

import numpy as np
import numpy.typing as npt
import pytest
from emotion_detector.detector import FaceDetector
from emotion_detector.network import Canvas, Network, Window
from emotion_detector.picture import Limits
from emotion_detector.settings import PACKAGED_MODEL
from emotion_detector.windows import around
from hypothesis import given
from hypothesis import strategies as st
from unit.detector import pictures

CANVAS = Canvas(320, 256, 320, 240)

boxes = st.lists(
    st.tuples(
        st.floats(-400, 700, width=32),
        st.floats(-400, 700, width=32),
        st.floats(1, 300, width=32),
        st.floats(1, 300, width=32),
    ),
    max_size=20,
).map(lambda rows: np.array(rows, np.float32).reshape(-1, 4))


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(Network(PACKAGED_MODEL, 320), Limits())


@pytest.fixture(scope="module")
def scene() -> npt.NDArray[np.uint8]:
    """Two small faces far apart in a picture of 1280x960."""
    pixels = np.full((960, 1280, 3), 110, np.uint8)
    portrait = pictures.bgr(pictures.astronaut())
    pixels[60:444, 20:532] = portrait
    pixels[560:944, 740:1252] = portrait
    return pixels


def inside(window: Window, box: npt.NDArray[np.float32]) -> bool:
    left, upper = max(box[0], 0), max(box[1], 0)
    right, lower = min(box[0] + box[2], CANVAS.width), min(box[1] + box[3], CANVAS.height)
    return bool(
        window.x <= left
        and window.y <= upper
        and right <= window.x + window.width
        and lower <= window.y + window.height
    )


@given(boxes)
def test_each_box_on_the_canvas_lies_in_one_window(some: npt.NDArray[np.float32]) -> None:
    windows = around(some, CANVAS)
    for box in some:
        touches = (box[:2] < (CANVAS.width, CANVAS.height)).all() and (box[:2] + box[2:] > 0).all()
        if touches:
            assert sum(inside(window, box) for window in windows) == 1


@given(boxes)
def test_windows_fit_the_networks_grid_and_never_overlap(some: npt.NDArray[np.float32]) -> None:
    covered = np.zeros((CANVAS.height, CANVAS.width), int)
    for window in around(some, CANVAS):
        assert all(n % 32 == 0 for n in (window.x, window.y, window.width, window.height))
        assert window.width > 0
        assert window.height > 0
        assert window.x + window.width <= CANVAS.width
        assert window.y + window.height <= CANVAS.height
        part = covered[window.y : window.y + window.height, window.x : window.x + window.width]
        part += 1
    assert covered.max(initial=0) <= 1


def test_known_faces_are_found_where_a_look_everywhere_finds_them(
    detector: FaceDetector, scene: npt.NDArray[np.uint8]
) -> None:
    size = np.array([1280, 960, 1280, 960], np.float32)
    everywhere = detector.find(scene, 0.5)
    assert len(everywhere) == 2
    moved = everywhere.boxes + np.array([25, -20, 0, 0], np.float32)
    again = detector.find_again(scene, 0.5, moved / size)
    assert len(again) == 2
    for box in everywhere.boxes:
        nearest = again.boxes[np.abs(again.boxes - box).sum(axis=1).argmin()]
        assert np.abs(nearest - box).max() < 0.05 * box[2]


def test_only_expected_faces_are_looked_for(
    detector: FaceDetector, scene: npt.NDArray[np.uint8]
) -> None:
    size = np.array([1280, 960, 1280, 960], np.float32)
    one, other = detector.find(scene, 0.5).boxes
    again = detector.find_again(scene, 0.5, one[None] / size)
    assert len(again) == 1
    assert pictures.overlap(tuple(again.boxes[0]), tuple(one)) > 0.8
    assert pictures.overlap(tuple(again.boxes[0]), tuple(other)) == 0
    assert len(detector.find_again(scene, 0.5, np.empty((0, 4), np.float32))) == 0


def test_a_large_face_is_found_as_by_a_look_everywhere(detector: FaceDetector) -> None:
    pixels = pictures.bgr(pictures.astronaut())[40:240, 120:330]
    everywhere = detector.find(pixels, 0.5)
    assert len(everywhere) == 1
    size = np.array([pixels.shape[1], pixels.shape[0]] * 2, np.float32)
    again = detector.find_again(pixels, 0.5, everywhere.boxes / size)
    assert np.allclose(again.boxes, everywhere.boxes)


@given(boxes)
def test_any_expectation_is_harmless(some: npt.NDArray[np.float32]) -> None:
    network = Network(PACKAGED_MODEL, 64)
    pixels = np.full((48, 64, 3), 90, np.uint8)
    assert len(FaceDetector(network, Limits()).find_again(pixels, 0.5, some / 100)) <= 100
