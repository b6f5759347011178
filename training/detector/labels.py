"""Labels: people's boxes where there are any, else what references at several scales agree on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from emotion_detector.boxes import Faces
from numpy.typing import NDArray

from training.detector.data import Picture
from training.detector.reference import Detector, free_size
from training.folder import DataError, subfolder

Floats = NDArray[np.float32]

REFERENCES = ("face_detection_yunet_2023mar.onnx", "yunet_n_640_640.onnx")
_SCALES = (0.5, 1.0, 2.0)
_SEEN = 0.3  # lowest score that counts as a vote
_VISIBLE = (10, 320)  # width in pixels of faces that a reference is expected to find
_SURE = 0.5  # mean score above which a face is taken for one
_UNSURE = 0.22  # below which nothing is remembered of it
_SAME = 0.5
_CHUNK = 200


@dataclass(frozen=True)
class Labels:
    """What is known of one picture; lengths in its pixels.

    Attributes:
        boxes: float32 [N, 4] left, top, width, height of faces.
        landmarks: float32 [N, 5, 2] in YuNet's order; NaN where they are unknown.
        unsure: float32 [M, 4], areas where an answer is neither right nor wrong.
    """

    boxes: Floats
    landmarks: Floats
    unsure: Floats


def overlaps(one: Floats, other: Floats) -> Floats:
    """Intersection over union [N, M] of boxes [N, 4] and [M, 4]."""
    shared = shared_areas(one, other)
    areas = one[:, 2] * one[:, 3], other[:, 2] * other[:, 3]
    union = areas[0][:, None] + areas[1] - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)


def shared_areas(one: Floats, other: Floats) -> Floats:
    """Intersections [N, M] of boxes [N, 4] and [M, 4]."""
    start = np.maximum(one[:, None, :2], other[:, :2])
    end = np.minimum(one[:, None, :2] + one[:, None, 2:], other[:, :2] + other[:, 2:])
    areas: Floats = np.prod(np.maximum(end - start, 0), axis=2)
    return areas


def vote(passes: Sequence[tuple[Faces, float]]) -> Faces:
    """What several looks at one picture agree on (box voting, Gidaris & Komodakis, 2015).

    Args:
        passes: the faces of each look, in pixels of the picture, with the scale that it was looked
            at.

    Returns:
        Groups of overlapping faces as their means, weighted by score. The score of a group is the
        mean over all looks that could have seen a face of its size; 0 for those that did not.
    """
    boxes = np.concatenate([faces.boxes for faces, _ in passes])
    landmarks = np.concatenate([faces.landmarks for faces, _ in passes])
    scores = np.concatenate([faces.scores for faces, _ in passes])
    look = np.repeat(np.arange(len(passes)), [len(faces) for faces, _ in passes])
    scales = np.array([scale for _, scale in passes])
    alike = overlaps(boxes, boxes) > _SAME
    free = np.ones(len(boxes), bool)
    means: list[tuple[Floats, Floats, float]] = []
    for top in np.argsort(-scores, kind="stable"):
        if not free[top]:
            continue
        group = np.flatnonzero(alike[top] & free)
        free[group] = False
        weights = (scores[group] / scores[group].sum()).astype(np.float32)
        box = (weights[:, None] * boxes[group]).sum(axis=0)
        best = np.zeros(len(passes))
        np.maximum.at(best, look[group], scores[group])
        visible = (_VISIBLE[0] <= box[2] * scales) & (box[2] * scales <= _VISIBLE[1])
        visible |= best > 0
        means.append(
            (
                box,
                (weights[:, None, None] * landmarks[group]).sum(axis=0),
                float(best[visible].mean()),
            )
        )
    return Faces(
        np.array([box for box, _, _ in means], np.float32).reshape(-1, 4),
        np.array([points for _, points, _ in means], np.float32).reshape(-1, 5, 2),
        np.array([score for _, _, score in means], np.float32),
    )


def combine(picture: Picture, voted: Faces) -> Labels:
    """The labels of a picture from its own boxes and what the references see in it.

    People's boxes stay, and what the references see besides them is unsure, because some small
    faces were not annotated. Elsewhere the references' boxes count where they agree; where they do
    not, it is unsure, but not in a face-free picture: there it is a mistake to learn from.
    """
    if picture.people:
        boxes = picture.boxes
        landmarks = np.full((len(boxes), 5, 2), np.nan, np.float32)
        if len(boxes) and len(voted):
            ratios = overlaps(boxes, voted.boxes)
            best = ratios.argmax(axis=1)
            known = (ratios.max(axis=1) > _SAME) & (voted.scores[best] > _SURE)
            landmarks[known] = voted.landmarks[best[known]]
        unsure = np.concatenate([picture.unsure, voted.boxes[voted.scores > _UNSURE]])
    elif picture.face_free:
        return Labels(*(np.empty(shape, np.float32) for shape in ((0, 4), (0, 5, 2), (0, 4))))
    else:
        sure = voted.scores >= _SURE
        boxes, landmarks = voted.boxes[sure], voted.landmarks[sure]
        unsure = np.concatenate([picture.boxes, voted.boxes[~sure & (voted.scores > _UNSURE)]])
    if len(boxes) and len(unsure):
        unsure = unsure[overlaps(unsure, boxes).max(axis=1) < 0.4]
    return Labels(boxes, landmarks, unsure)


def make(pictures: Sequence[Picture], data: Path, cache: Path) -> list[Labels]:
    """Labels of ``pictures``, in their order.

    Looking takes minutes, so what the references see is kept in ``cache``, in files of 200
    pictures; an interrupted run goes on from there.

    Raises:
        DataError: references or pictures are missing or damaged.
    """
    folder = subfolder(data, "reference-models")
    cache.mkdir(parents=True, exist_ok=True)
    detectors: list[Detector] = []
    labels: list[Labels] = []
    chunks = [pictures[i : i + _CHUNK] for i in range(0, len(pictures), _CHUNK)]
    progress = None
    for number, chunk in enumerate(chunks):
        file = cache / f"seen-{number:03d}.npz"
        names = [picture.name for picture in chunk]
        seen = _read(file, names)
        if seen is None:
            detectors = detectors or [Detector(free_size(folder / n)) for n in REFERENCES]
            progress = progress or keras.utils.Progbar(len(pictures), unit_name="picture")
            seen = [_look(picture, detectors) for picture in chunk]
            _write(file, names, seen)
            progress.update(min(len(pictures), (number + 1) * _CHUNK))
        labels += [combine(*pair) for pair in zip(chunk, seen, strict=True)]
    return labels


def _look(picture: Picture, detectors: Sequence[Detector]) -> Faces:
    pixels = picture.colour()
    longer_side = max(pixels.shape[:2])
    passes = []
    for detector in detectors:
        for scale in _SCALES:
            size = round(longer_side * scale)
            passes.append((detector.find(pixels, _SEEN, size), scale))
            passes.append((detector.find_mirrored(pixels, _SEEN, size), scale))
    return vote(passes)


def _write(file: Path, names: Sequence[str], seen: Sequence[Faces]) -> None:
    counts = np.array([len(faces) for faces in seen])
    part = file.with_suffix(".part.npz")
    np.savez_compressed(
        part,
        names=json.dumps(list(names)),
        counts=counts,
        boxes=np.concatenate([faces.boxes for faces in seen]),
        landmarks=np.concatenate([faces.landmarks for faces in seen]),
        scores=np.concatenate([faces.scores for faces in seen]),
    )
    part.replace(file)


def _read(file: Path, names: Sequence[str]) -> list[Faces] | None:
    """What an earlier run saw in exactly these pictures; None where there is no such file."""
    if not file.exists():
        return None
    try:
        with np.load(file) as stored:
            if json.loads(str(stored["names"])) != list(names):
                return None
            ends = np.cumsum(stored["counts"])[:-1]
            parts = [np.split(stored[key], ends) for key in ("boxes", "landmarks", "scores")]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} is damaged; delete it: {error}") from error
    return [Faces(*row) for row in zip(*parts, strict=True)]
