"""The network's outputs as faces: decoding, choosing the best of overlapping ones."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotion_detector.network import STRIDES

Floats = npt.NDArray[np.float32]

_MAX_CANDIDATES = 300  # best-scored cells that are compared with each other
_MAX_IOU = 0.3
_MAX_NESTED = 0.65
_VOTING_IOU = 0.6
_VOTING_SCORE = 0.4  # in parts of the score asked for
_LOWEST_VOTING_SCORE = 0.05  # below it, nearly every cell of the network is a candidate


@dataclass(frozen=True, slots=True)
class Faces:
    """N faces.

    ``boxes`` float32 [N, 4]: left, top, width, height. ``landmarks`` float32 [N, 5, 2]: x, y of
    right eye, left eye, nose tip, right and left corner of the mouth (the person's right).
    ``scores`` float32 [N], 0..1. Lengths are pixels of the picture that the faces belong to.
    """

    boxes: Floats
    landmarks: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, indices: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> "Faces":
        """The faces at ``indices``, in that order; or those where a mask [N] is true."""
        return Faces(self.boxes[indices], self.landmarks[indices], self.scores[indices])

    def moved(self, x: float, y: float) -> "Faces":
        """The faces ``x`` pixels further right and ``y`` further down."""
        way = np.array([x, y, 0, 0], np.float32)
        return Faces(self.boxes + way, self.landmarks + way[:2], self.scores)

    def scaled(self, x: float, y: float) -> "Faces":
        """The faces of a picture ``x`` times as wide and ``y`` times as high."""
        factors = np.array([x, y, x, y], np.float32)
        return Faces(self.boxes * factors, self.landmarks * factors[:2], self.scores)


NO_FACES = Faces(
    np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32)
)


def join(parts: Sequence[Faces]) -> Faces:
    """All faces of ``parts``, one after another."""
    return Faces(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def decode(outputs: Sequence[tuple[Floats, ...]], canvas_width: int, min_score: float) -> Faces:
    """Candidates scored ``min_score`` or more, in canvas pixels, in no order.

    ``outputs`` holds for each stride s the arrays ``cls``, ``obj``, ``bbox``, ``kps`` with a row
    for each cell, row by row. As YuNet (OpenCV ``FaceDetectorYN``) decodes them: the score is
    sqrt(cls * obj), the centre (column + b0, row + b1) * s, the size exp(b2, b3) * s, landmark k
    (column + k_x, row + k_y) * s.
    """
    cls, obj, bbox, kps = (np.concatenate(levels) for levels in zip(*outputs, strict=True))
    squares = cls[:, 0] * obj[:, 0]
    cells = np.flatnonzero(squares >= min_score * min_score)
    if len(cells) == 0:
        return NO_FACES
    corners, strides = _grid(canvas_width, tuple(len(level[0]) for level in outputs))
    origins, stride = corners[cells], strides[cells]
    centres = (origins + bbox[cells, :2]) * stride
    sizes = np.exp(bbox[cells, 2:]) * stride
    return Faces(
        boxes=np.concatenate([centres - sizes / 2, sizes], axis=1),
        landmarks=(origins[:, None] + kps[cells].reshape(-1, 5, 2)) * stride[:, None],
        scores=np.sqrt(np.minimum(squares[cells], 1.0)),
    )


@functools.lru_cache(maxsize=256)
def _grid(canvas_width: int, cells: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Column and row [A, 2] and stride [A, 1] of all cells, level after level.

    ``cells`` is the number of cells of each of ``STRIDES``.
    """
    corners, strides = [], []
    for stride, count in zip(STRIDES, cells, strict=True):
        rows, columns = np.divmod(np.arange(count), canvas_width // stride)
        corners.append(np.stack([columns, rows], axis=1))
        strides.append(np.full((count, 1), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)


def voting_score(min_score: float) -> float:
    """The score to ``decode`` from where faces of ``min_score`` are asked for: cells that are not
    sure enough to be a face still tell where it is."""
    return min(min_score, max(_VOTING_SCORE * min_score, _LOWEST_VOTING_SCORE))


def choose(candidates: Faces, min_score: float) -> Faces:
    """The faces scored ``min_score`` or more among ``candidates``, decoded from ``voting_score``:
    the best of each group of overlapping ones, in the mean place of the group."""
    return steady(suppress(candidates.take(candidates.scores >= min_score)), candidates)


def suppress(faces: Faces) -> Faces:
    """The best of every group of overlapping faces, best score first.

    A face goes when a better one overlaps it by an intersection over union above 0.3, or when
    one of the two lies inside the other by more than 0.65 of its area: parts of a large face
    look like small faces.
    """
    order = np.argsort(-faces.scores, kind="stable")[:_MAX_CANDIDATES]
    faces = faces.take(order)
    if len(faces) < 2:
        return faces
    shared, areas = _intersections(faces.boxes, faces.boxes), _areas(faces.boxes)
    union = areas[:, None] + areas - shared
    smaller = np.minimum(areas[:, None], areas)
    rivals = (shared > _MAX_IOU * union) | (shared > _MAX_NESTED * smaller)
    kept = np.ones(len(faces), bool)
    for index in range(len(faces)):
        if kept[index]:
            kept[index + 1 :] &= ~rivals[index, index + 1 :]
    return faces.take(kept)


def steady(faces: Faces, candidates: Faces) -> Faces:
    """``faces``, chosen from ``candidates``, each as the mean of what was found where it is.

    Candidates that overlap it by an intersection over union of 0.6 or more count with the square
    of their score (box voting, Gidaris & Komodakis, 2015). On a still scene neighbouring cells take
    turns at being the best; their mean jitters half as much. Scores stay.
    """
    shared = _intersections(faces.boxes, candidates.boxes)
    union = _areas(faces.boxes)[:, None] + _areas(candidates.boxes) - shared
    voters = (shared >= _VOTING_IOU * union) * (candidates.scores**2 + 1e-6)
    weights = (voters / voters.sum(axis=1, keepdims=True)).astype(np.float32)
    return Faces(
        weights @ candidates.boxes,
        np.einsum("ij,jkl->ikl", weights, candidates.landmarks),
        faces.scores,
    )


def outside(faces: Faces, others: Faces) -> Faces:
    """The ``faces`` that share at most half of the smaller area with each of ``others``."""
    shared = _intersections(faces.boxes, others.boxes)
    smaller = np.minimum(_areas(faces.boxes)[:, None], _areas(others.boxes))
    return faces.take(np.all(shared <= 0.5 * smaller, axis=1))


def clip(boxes: Floats, width: float, height: float) -> Floats:
    """Boxes [N, 4] (left, top, width, height) cut off at the edges of a width x height area."""
    bounds = np.array([width, height], np.float32)
    upper_left = np.clip(boxes[:, :2], 0, bounds)
    lower_right = np.clip(boxes[:, :2] + boxes[:, 2:], 0, bounds)
    return np.concatenate([upper_left, lower_right - upper_left], axis=1)


def _areas(boxes: Floats) -> Floats:
    return boxes[:, 2] * boxes[:, 3]


def _intersections(one: Floats, other: Floats) -> Floats:
    """Shared areas [N, M] of N and M boxes."""
    upper_left = np.maximum(one[:, None, :2], other[:, :2])
    lower_right = np.minimum(one[:, None, :2] + one[:, None, 2:], other[:, :2] + other[:, 2:])
    sides = np.maximum(lower_right - upper_left, 0)
    areas: Floats = sides[..., 0] * sides[..., 1]
    return areas
