"""Detections against labels: which are right, recall, false alarms, precision. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from emotion_detector.boxes import Faces
from numpy.typing import NDArray

from training.detector.labels import Labels, overlaps, shared_areas

_SAME = 0.5  # intersection over union from which a detection and a face are the same


@dataclass(frozen=True)
class Judged:
    """The detections of pictures that count: ``scores`` float64 [N], ``right`` bool [N].

    ``faces`` that should be found, ``pictures``: how many.
    """

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    faces: int
    pictures: int


def judge(found: Faces, truth: Labels, least_width: float) -> Judged:
    """Detections of one picture, best first: each takes the free face that it overlaps the most.

    Neither right nor wrong are: faces narrower than ``least_width`` pixels and what finds them;
    wrong detections that are narrower; and detections of which more than half lies in an unsure
    area.
    """
    order = np.argsort(-found.scores, kind="stable")
    boxes, scores = found.boxes[order], found.scores[order]
    counts = truth.boxes[:, 2] >= least_width
    free = np.ones(len(truth.boxes), bool)
    alike = overlaps(boxes, truth.boxes)
    doubtful = boxes[:, 2] < least_width
    if len(truth.unsure):
        shared = shared_areas(boxes, truth.unsure).max(axis=1)
        doubtful = doubtful | (shared > 0.5 * boxes[:, 2:].prod(axis=1))
    kept, right = [], []
    for row in range(len(boxes)):
        near = np.where(free, alike[row], 0)
        best = int(near.argmax()) if len(near) else -1
        if best >= 0 and near[best] >= _SAME:
            free[best] = False
            if counts[best]:
                kept.append(row)
                right.append(True)
        elif not doubtful[row]:
            kept.append(row)
            right.append(False)
    return Judged(scores[kept].astype(np.float64), np.array(right, bool), int(counts.sum()), 1)


def together(parts: Iterable[Judged]) -> Judged:
    """The detections of several pictures, best first."""
    parts = list(parts)
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    return Judged(
        scores[order],
        np.concatenate([part.right for part in parts])[order],
        sum(part.faces for part in parts),
        sum(part.pictures for part in parts),
    )


def recall_at(judged: Judged, alarms: float) -> float:
    """The part of the faces that is found with at most ``alarms`` false alarms a picture."""
    allowed = np.cumsum(~judged.right) <= alarms * judged.pictures
    return float((judged.right & allowed).sum() / max(judged.faces, 1))


def threshold_at(judged: Judged, alarms: float) -> float:
    """The lowest score with at most ``alarms`` false alarms a picture."""
    allowed = judged.scores[np.cumsum(~judged.right) <= alarms * judged.pictures]
    return float(allowed[-1]) if len(allowed) else 1.0


def precision_at(judged: Judged, recall: float) -> float:
    """The best precision with at least that recall; 0 where it is never reached."""
    hits = np.cumsum(judged.right)
    enough = hits >= recall * judged.faces
    if not enough.any() or not hits.any():
        return 0.0
    return float((hits / np.arange(1, len(hits) + 1))[enough].max())
