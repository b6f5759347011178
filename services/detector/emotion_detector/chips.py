"""Chips: upright 48x48 cut-outs of faces, framed as the classifier was trained on them."""

import cv2
import numpy as np
import numpy.typing as npt

from emotion_detector.boxes import Faces

CHIP_SIZE = 48
CHIP_BYTES = CHIP_SIZE * CHIP_SIZE

# Side of the square that FER2013 shows of a face, in units of sqrt(width * height) of the
# detected box, around the centre of that box. Measured: see the README.
_SIDE = 1.15
# Side in pixels from which cutting out less than the file has costs the classifier little.
ENOUGH = 42
_MAX_OVERSAMPLING = 8


def least_side(faces: Faces) -> float:
    """Side of the smallest square that ``cut_chips`` cuts out, in the pixels of ``faces``.

    At least 1, whatever a network answers; infinite without faces.
    """
    return float(np.maximum(_sides(faces), 1).min(initial=np.inf))


def cut_chips(luma: npt.NDArray[np.uint8], faces: Faces) -> npt.NDArray[np.uint8]:
    """Cuts ``faces`` out of ``luma`` (uint8 [height, width]): uint8 [N, 48, 48].

    Each chip is turned so that the line of the eyes is level; where it reaches past the
    picture, the picture's edge is repeated.
    """
    chips = np.empty((len(faces), CHIP_SIZE, CHIP_SIZE), np.uint8)
    sides = _sides(faces)
    centres = faces.boxes[:, :2] + faces.boxes[:, 2:] / 2
    angles = roll_angles(faces.landmarks)
    for chip, side, centre, angle in zip(chips, sides, centres, angles, strict=True):
        # Interpolation alone would skip pixels of large faces: sample more finely, average.
        factor = int(np.clip(round(float(side) / CHIP_SIZE), 1, _MAX_OVERSAMPLING))
        size = CHIP_SIZE * factor
        fine = cv2.warpAffine(
            luma,
            _chip_to_picture(size, float(side), centre, float(angle)),
            (size, size),
            flags=(cv2.INTER_CUBIC if factor == 1 else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        chip[:] = (
            fine
            if factor == 1
            else cv2.resize(fine, (CHIP_SIZE, CHIP_SIZE), interpolation=cv2.INTER_AREA)
        )
    return chips


def _sides(faces: Faces) -> npt.NDArray[np.float32]:
    sides: npt.NDArray[np.float32] = _SIDE * np.sqrt(faces.boxes[:, 2] * faces.boxes[:, 3])
    return sides


def roll_angles(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How far each face is tilted, in radians, clockwise positive: float32 [N] of [N, 5, 2].

    From the eyes, the corners of the mouth and the way from eyes to mouth together, so that a
    profile, whose eyes nearly coincide, has an angle as well.
    """
    right_eye, left_eye, _, right_mouth, left_mouth = np.moveaxis(landmarks, 1, 0)
    across = (left_eye - right_eye) + (left_mouth - right_mouth)
    down = (left_mouth + right_mouth) - (left_eye + right_eye)
    angles: npt.NDArray[np.float32] = np.arctan2(
        across[:, 1] - down[:, 0], across[:, 0] + down[:, 1]
    )
    return angles


def _chip_to_picture(
    size: int, side: float, centre: npt.NDArray[np.float32], angle: float
) -> npt.NDArray[np.float64]:
    """The 2x3 matrix from pixels of a size x size chip to pixels of the picture.

    OpenCV counts from the centres of pixels, boxes from their edges: hence the halves.
    """
    cosine, sine = np.cos(angle) * side / size, np.sin(angle) * side / size
    middle = (size - 1) / 2
    return np.array(
        [
            [cosine, -sine, centre[0] - 0.5 - (cosine - sine) * middle],
            [sine, cosine, centre[1] - 0.5 - (sine + cosine) * middle],
        ]
    )
