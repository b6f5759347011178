"""Faces under conditions that few pictures show: made of pictures that are labelled. Pure."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.detector.augment import placing, shown
from training.detector.labels import Labels

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 320, 256
_FACE = 48.0  # width in pixels that a face is shown at
_PROFILE = 0.5

CONDITIONS = {
    "as they are": "enlarged or reduced to 48 pixels",
    "tilt 15°": "the picture turned, either way",
    "tilt 30°": "likewise",
    "tilt 45°": "likewise",
    "dark": "gamma 1.8, then a quarter of the light, noise of 4 levels",
    "side light": "from full light to a tenth across the face",
    "lower part covered": "a gray rectangle over the lower 40 %",
    "one side covered": "a gray rectangle over the left or right 40 %",
    "glasses": "frames drawn around the eyes",
    "sunglasses": "dark glasses drawn over the eyes",
}


def scene(
    pixels: Pixels, box: Floats, landmarks: Floats, condition: str, rng: np.random.Generator
) -> tuple[Pixels, Floats, Floats]:
    """A 320x256 canvas with one face under a condition.

    Args:
        pixels: BGR, uint8 [H, W, 3].
        box: float32 [4] of the face.
        landmarks: float32 [5, 2].
        condition: of ``CONDITIONS``.
        rng: for direction and noise.

    Returns:
        The canvas, uint8 [256, 320, 3], box and landmarks on it.
    """
    angle = 0.0
    if condition.startswith("tilt"):
        angle = float(condition.removeprefix("tilt ").removesuffix("°")) * rng.choice((-1, 1))
    place = np.array([WIDTH, HEIGHT]) / 2 + rng.uniform(-8, 8, 2)
    matrix = placing(box, _FACE / float(box[2]), np.deg2rad(angle), False, place)
    labels = Labels(box[None], landmarks[None], np.empty((0, 4), np.float32))
    view = shown(pixels, labels, matrix, (WIDTH, HEIGHT), 0)
    canvas, face, points = view.pixels, view.boxes[0], view.landmarks[0]
    if condition == "dark":
        light = 255 * (canvas / 255.0) ** 1.8 * 0.25 + rng.normal(0, 4, canvas.shape)
        canvas = np.clip(light, 0, 255).astype(np.uint8)
    elif condition == "side light":
        ramp = np.clip((np.arange(WIDTH) - face[0]) / face[2], 0, 1)
        ramp = ramp if rng.random() < 0.5 else 1 - ramp
        canvas = (canvas * (0.1 + 0.9 * ramp)[None, :, None]).astype(np.uint8)
    elif condition.endswith("covered"):
        canvas = _covered(canvas, face, condition.startswith("lower"), bool(rng.random() < 0.5))
    elif condition.endswith("glasses"):
        canvas = _with_glasses(canvas, points, dark=condition == "sunglasses")
    return canvas, face, points


def is_profile(landmarks: Floats) -> bool:
    """Whether the nose is off the middle of the eyes by half of their distance or more, across."""
    right_eye, left_eye, nose, right_mouth, left_mouth = landmarks
    across = (left_eye - right_eye) + (left_mouth - right_mouth)
    down = (left_mouth + right_mouth) - (left_eye + right_eye)
    upright = np.array([across[0] + down[1], across[1] - down[0]])
    upright /= max(float(np.hypot(*upright)), 1e-6)
    off = abs(float((nose - (left_eye + right_eye) / 2) @ upright))
    return off >= _PROFILE * max(float((left_eye - right_eye) @ upright), 1e-6)


def _covered(canvas: Pixels, face: Floats, lower: bool, left: bool) -> Pixels:
    x, y, width, height = (float(value) for value in face)
    if lower:
        area = x, y + 0.6 * height, x + width, y + height
    elif left:
        area = x, y, x + 0.4 * width, y + height
    else:
        area = x + 0.6 * width, y, x + width, y + height
    x0, y0, x1, y1 = (max(0, round(value)) for value in area)
    canvas = canvas.copy()
    canvas[y0:y1, x0:x1] = 128
    return canvas


def _with_glasses(canvas: Pixels, landmarks: Floats, *, dark: bool) -> Pixels:
    canvas = canvas.copy()
    eyes = landmarks[:2]
    way = eyes[1] - eyes[0]
    axes = max(3, round(0.36 * float(np.hypot(*way)))), max(2, round(0.28 * float(np.hypot(*way))))
    angle = float(np.degrees(np.arctan2(way[1], way[0])))
    right, left = ((round(float(x)), round(float(y))) for x, y in eyes)
    for centre in (right, left):
        cv2.ellipse(
            canvas, centre, axes, angle, 0, 360, (25, 25, 25), -1 if dark else 1, cv2.LINE_AA
        )
    cv2.line(canvas, right, left, (25, 25, 25), 1, cv2.LINE_AA)
    return canvas
