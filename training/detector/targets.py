"""What the network should answer for each cell of a canvas: faces assigned to cells, encoded."""

import numpy as np
from numpy.typing import NDArray

from training.detector import network
from training.detector.network import STRIDES

Floats = NDArray[np.float32]

# Columns of a cell's target: state, box and landmarks as the network answers them, whether the
# landmarks are known, the face's size in cells, the class, and how much of the cell counts besides
# its state. States between NONE and FACE are a teacher's.
STATE, BOX, LANDMARKS, KNOWN, SIZE, CLASS, WEIGHT = (
    slice(0, 1),
    slice(1, 5),
    slice(5, 15),
    slice(15, 16),
    slice(16, 17),
    slice(17, 18),
    slice(18, 19),
)
COLUMNS = 19
FACE, NONE, UNSURE = 1.0, 0.0, -1.0
OVERLAP = -1.0  # as a class: what the answered box reaches

# Geometric mean of width and height in pixels of the faces that a level answers for. They overlap.
_SIZES = {8: (0.0, 44.0), 16: (28.0, 104.0), 32: (72.0, 1e6)}
_SOFT = 1.4  # a level may answer, or not, for faces this factor beyond
_REACH = 0.22  # cells this part of the face's size from its middle answer for it
_LEAST_REACH = 0.75  # in cells
_RING = 1.5  # and cells up to this times as far may, or may not


def encode(boxes: Floats, landmarks: Floats, unsure: Floats, width: int, height: int) -> Floats:
    """Targets of a canvas.

    Args:
        boxes: float32 [N, 4], left, top, width, height in pixels.
        landmarks: float32 [N, 5, 2], NaN where unknown.
        unsure: float32 [M, 4].
        width: of the canvas in pixels, a multiple of 32.
        height: likewise.

    Returns:
        float32 [A, 19], the cells of strides 8, 16, 32, each level row by row, as the network's
        answers.
    """
    return np.concatenate(
        [_level(boxes, landmarks, unsure, width, height, stride) for stride in STRIDES]
    )


def _level(
    boxes: Floats, landmarks: Floats, unsure: Floats, width: int, height: int, stride: int
) -> Floats:
    points = np.stack(
        np.meshgrid(np.arange(width // stride), np.arange(height // stride)), axis=-1
    ).reshape(-1, 2)
    target = np.zeros((len(points), COLUMNS), np.float32)
    pixels = points[:, None] * np.float32(stride)
    if len(unsure):
        near = np.abs(pixels - (unsure[:, :2] + unsure[:, 2:] / 2))
        within = np.all(near <= np.maximum(unsure[:, 2:] / 2, stride / 2), axis=2)
        target[np.any(within, axis=1), STATE] = UNSURE
    if len(boxes) == 0:
        return target

    middles, sides = boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]
    size = np.sqrt(sides.prod(axis=1))
    low, high = _SIZES[stride]
    # Distance from the middle of each face, 1 at the end of its reach: [cells, N]. Cells stand at
    # their upper left corners, so a middle past the last one counts as there.
    aims = np.clip(middles, 0, points[-1] * np.float32(stride))
    reach = np.maximum(_REACH * sides, _LEAST_REACH * stride)
    away = (np.abs(pixels - aims) / reach).max(axis=2)
    possible = (size >= low / _SOFT) & (size < high * _SOFT)
    target[((away <= _RING) & possible).any(axis=1), STATE] = UNSURE
    away[:, (size < low) | (size >= high)] = np.inf
    nearest = away.argmin(axis=1)
    chosen = np.flatnonzero(away[np.arange(len(points)), nearest] <= 1)
    face = nearest[chosen]
    origin = points[chosen].astype(np.float32)
    target[chosen, STATE] = FACE
    target[chosen, BOX] = np.concatenate(
        [middles[face] / stride - origin, np.log(sides[face] / stride)], axis=1
    )
    relative = landmarks[face] / stride - origin[:, None]
    known = np.isfinite(relative).all(axis=(1, 2))
    target[chosen, LANDMARKS] = np.where(known[:, None, None], relative, 0).reshape(-1, 10)
    target[chosen, KNOWN] = known[:, None]
    target[chosen, SIZE] = size[face, None] / stride
    target[chosen, CLASS], target[chosen, WEIGHT] = OVERLAP, 1
    return target


def levels(answers: Floats, width: int, height: int) -> list[tuple[Floats, Floats, Floats, Floats]]:
    """The network's answers [A, 16] of a canvas as the service's ``boxes.decode`` takes them.

    Returns:
        Class, object (both 0 to 1), box and landmarks, [cells, 1, 1, 4, 10], for each stride.
    """
    ends = np.cumsum([(width // stride) * (height // stride) for stride in STRIDES])[:-1]
    return [
        (
            _sigmoid(part[:, network.CLASS]),
            _sigmoid(part[:, network.OBJECT]),
            part[:, network.BOX],
            part[:, network.LANDMARKS],
        )
        for part in np.split(answers, ends)
    ]


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), np.float32)
