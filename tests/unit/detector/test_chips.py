"""A chip shows a face upright, 48x48, whatever its size, tilt and place."""

import cv2
import numpy as np
import pytest
from emotion_detector.boxes import Faces
from emotion_detector.chips import CHIP_BYTES, cut_chips, least_side, roll_angles
from hypothesis import given
from hypothesis import strategies as st
from unit.detector import pictures

# The astronaut's face in pixels, by eye.
BOX = np.array([180, 62, 92, 132], np.float32)
POINTS = np.array([[206, 113], [244, 113], [225, 137], [208, 153], [242, 153]], np.float32)


def face(box: np.ndarray, points: np.ndarray) -> Faces:
    return Faces(
        box[None].astype(np.float32), points[None].astype(np.float32), np.ones(1, np.float32)
    )


def mean_difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_no_faces_give_no_chips() -> None:
    none = Faces(
        np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32)
    )
    assert cut_chips(np.zeros((10, 10), np.uint8), none).shape == (0, 48, 48)
    assert least_side(none) == np.inf


def test_a_chip_is_the_square_around_the_box_widened_by_15_percent() -> None:
    luma = pictures.luma(pictures.astronaut())
    side = 96
    box = np.array([225 - side / 2.3, 128 - side / 2.3, side / 1.15, side / 1.15])
    square = luma[128 - 48 : 128 + 48, 225 - 48 : 225 + 48]
    chip = cut_chips(luma, face(box, POINTS))[0]
    assert chip.nbytes == CHIP_BYTES == 2304
    expected = cv2.resize(square, (48, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(chip.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("degrees", [-90, -40, -15, 15, 40, 90, 180])
def test_a_tilted_face_gives_the_chip_of_the_upright_one(degrees: int) -> None:
    luma = pictures.luma(pictures.astronaut())
    upright = cut_chips(luma, face(BOX, POINTS))[0]
    middle = BOX[:2] + BOX[2:] / 2
    turn = cv2.getRotationMatrix2D(tuple(map(float, middle - 0.5)), degrees, 1)
    turned = cv2.warpAffine(luma, turn, luma.shape[::-1], flags=cv2.INTER_CUBIC)
    points = (POINTS - middle) @ turn[:, :2].T + middle
    chip = cut_chips(turned, face(BOX, points))[0]
    assert mean_difference(chip, upright) < 3
    assert mean_difference(cut_chips(turned, face(BOX, POINTS))[0], upright) > 9


@pytest.mark.parametrize("scale", [0.5, 2.0, 5.0])
def test_a_chip_does_not_depend_on_the_size_of_the_face(scale: float) -> None:
    luma = pictures.luma(pictures.astronaut())
    size = round(512 * scale), round(384 * scale)
    scaled = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    chip = cut_chips(scaled, face(BOX * scale, POINTS * scale))[0]
    assert mean_difference(chip, cut_chips(luma, face(BOX, POINTS))[0]) < 6


def test_fine_texture_of_a_large_face_is_averaged() -> None:
    checks = np.indices((480, 480)).sum(axis=0) % 2 * 255
    chip = cut_chips(checks.astype(np.uint8), face(BOX * 2, POINTS * 2))[0]
    assert np.abs(chip.astype(int) - 127).max() < 40


def test_past_the_edge_the_edge_is_repeated() -> None:
    luma = np.full((100, 100), 200, np.uint8)
    chip = cut_chips(luma, face(np.array([-40, -40, 80, 80]), POINTS))[0]
    assert (chip == 200).all()


def test_the_least_side_is_that_of_the_smallest_face() -> None:
    boxes = np.array([[0, 0, 90, 160], [0, 0, 30, 30]], np.float32)
    faces = Faces(boxes, np.zeros((2, 5, 2), np.float32), np.ones(2, np.float32))
    assert least_side(faces) == pytest.approx(1.15 * 30)
    assert least_side(faces.scaled(1e-30, 1e-30)) == 1


@given(angle=st.floats(-3.1, 3.1), size=st.floats(1, 300))
def test_the_roll_angle_is_the_angle_that_the_face_was_turned_by(angle: float, size: float) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    symmetric = np.array([[-1, -1], [1, -1], [0, 0], [-0.8, 1], [0.8, 1]])
    points = (symmetric @ turn.T * size).astype(np.float32)[None]
    assert roll_angles(points)[0] == pytest.approx(angle, abs=1e-3)


def test_a_profile_whose_eyes_coincide_is_upright() -> None:
    profile = np.array([[[10, 10], [10, 10], [4, 20], [9, 30], [11, 30]]], np.float32)
    assert abs(roll_angles(profile)[0]) < 0.1
