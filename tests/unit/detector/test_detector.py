"""A picture file becomes faces and chips."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from emotion_detector.boxes import Faces
from emotion_detector.chips import cut_chips
from emotion_detector.detector import FaceDetector
from emotion_detector.network import Network
from emotion_detector.picture import Limits
from emotion_detector.settings import PACKAGED_MODEL
from unit.detector import pictures

CLIPS = Path(__file__).resolve().parents[4] / "shared/data/clips"


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(Network(PACKAGED_MODEL, 320), Limits())


def side_by_side(*images: np.ndarray) -> np.ndarray:
    return np.concatenate(images, axis=1)


def test_a_face_is_found_with_box_landmarks_and_chip(detector: FaceDetector) -> None:
    analysis = detector.analyse(pictures.file(pictures.astronaut()), 0.5, 20)
    assert (analysis.width, analysis.height) == (512, 384)
    assert len(analysis.faces) == 1
    assert pictures.overlap(tuple(analysis.faces.boxes[0]), pictures.FACE_BOX) > 0.5
    right_eye, left_eye, nose, right_mouth, left_mouth = analysis.faces.landmarks[0]
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert analysis.chips.shape == (1, 48, 48)
    assert analysis.decode_seconds > 0
    assert analysis.detect_seconds > 0


def test_pictures_without_faces_have_none(detector: FaceDetector) -> None:
    for image in (
        np.zeros((480, 640, 3), np.uint8),
        np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8),
        np.full((1, 1, 3), 255, np.uint8),
        np.full((1, 3000, 3), 99, np.uint8),
    ):
        analysis = detector.analyse(pictures.file(image, "PNG"), 0.5, 20)
        assert len(analysis.faces) == 0
        assert analysis.chips.shape == (0, 48, 48)


def test_faces_come_best_first_and_as_many_as_asked_for(detector: FaceDetector) -> None:
    image = pictures.astronaut()
    dim = (image * 0.5 + 60).astype(np.uint8)
    data = pictures.file(side_by_side(dim, image, image[:, ::-1]))
    everyone = detector.analyse(data, 0.3, 20)
    assert len(everyone.faces) == 3
    assert (np.diff(everyone.faces.scores) <= 0).all()
    two = detector.analyse(data, 0.3, 2)
    np.testing.assert_array_equal(two.faces.boxes, everyone.faces.boxes[:2])
    np.testing.assert_array_equal(two.chips, everyone.chips[:2])


def test_faces_below_the_lowest_score_are_left_out(detector: FaceDetector) -> None:
    data = pictures.file(pictures.astronaut())
    score = float(detector.analyse(data, 0.1, 20).faces.scores[0])
    assert len(detector.analyse(data, score - 0.01, 20).faces) == 1
    assert len(detector.analyse(data, score + 0.01, 20).faces) == 0


@pytest.mark.parametrize("part", [0.25, 0.5, 0.75, 0.9])
def test_a_face_is_one_face_however_much_of_the_picture_it_fills(
    detector: FaceDetector, part: float
) -> None:
    left, top, width, height = pictures.FACE_BOX * np.array([512, 384, 512, 384])
    side = round(width / part)
    centre = (left + width / 2, top + height / 2)
    square = cv2.getRectSubPix(pictures.astronaut(), (side, side), centre)
    analysis = detector.analyse(pictures.file(cv2.resize(square, (640, 640))), 0.5, 20)
    assert len(analysis.faces) == 1
    assert analysis.faces.boxes[0, 2] == pytest.approx(part, rel=0.35)


def test_a_box_that_reaches_past_the_picture_is_cut_off(detector: FaceDetector) -> None:
    half = pictures.astronaut()[:, 225:]
    analysis = detector.analyse(pictures.file(half), 0.5, 20)
    assert len(analysis.faces) == 1
    boxes = analysis.faces.boxes
    assert boxes.min() >= 0
    assert (boxes[:, :2] + boxes[:, 2:]).max() <= 1.00001
    assert boxes[0, 0] == 0


def test_a_photograph_of_many_pixels_gives_the_same_face(detector: FaceDetector) -> None:
    large = cv2.resize(pictures.astronaut(), (4096, 3072), interpolation=cv2.INTER_CUBIC)
    one = detector.analyse(pictures.file(pictures.astronaut()), 0.5, 20)
    other = detector.analyse(pictures.file(large), 0.5, 20)
    assert other.width == 4096
    np.testing.assert_allclose(other.faces.boxes, one.faces.boxes, atol=0.02)
    assert np.abs(other.chips.astype(int) - one.chips).mean() < 8


@pytest.mark.parametrize("size", [(512, 384), (640, 480), (1280, 960)])
@pytest.mark.parametrize("times", [1, 3])
def test_a_chip_is_as_sharp_as_the_file(
    detector: FaceDetector, times: int, size: tuple[int, int]
) -> None:
    """However small the picture was decoded to look for faces: small ones are cut from more."""
    image = pictures.astronaut()
    around = np.full((times * 384, times * 512, 3), 110, np.uint8)
    around[:384, :512] = image
    data = pictures.file(cv2.resize(around, size, interpolation=cv2.INTER_AREA), quality=95)
    analysis = detector.analyse(data, 0.3, 20)
    [box], [landmarks] = analysis.faces.boxes, analysis.faces.landmarks
    whole = pictures.luma(cv2.resize(around, size, interpolation=cv2.INTER_AREA))
    face = Faces(box[None], landmarks[None], np.ones(1, np.float32)).scaled(*size)
    expected, chip = (one[0].astype(int) for one in (cut_chips(whole, face), analysis.chips))
    assert np.abs(chip - expected).mean() < 4
    assert np.abs(np.diff(chip)).mean() > 0.85 * np.abs(np.diff(expected)).mean()


@pytest.mark.parametrize("clip", ["webcam_again.mkv", "webcam_book.mkv", "webcam_sorry.mkv"])
def test_a_person_before_a_webcam_is_found_in_every_frame(
    detector: FaceDetector, clip: str
) -> None:
    if not CLIPS.exists():
        pytest.skip("needs the clips; the astronaut covers finding a face")
    capture = cv2.VideoCapture(str(CLIPS / clip))
    found = []
    while (read := capture.read())[0]:
        found.append(len(detector.find(np.asarray(read[1], np.uint8), 0.5)))
    assert len(found) > 50
    assert min(found) >= 1
