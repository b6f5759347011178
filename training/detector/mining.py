"""Hard examples: what the network, half trained, takes for faces, and the faces that it misses.

Both in its own pictures. Profiles and faces that look down are rare, and would be learnt last.
"""

from collections.abc import Sequence

import keras
import numpy as np
from emotion_detector.boxes import decode, suppress
from emotion_detector.network import letterbox, scale_onto
from numpy.typing import NDArray

from training.detector.augment import Spot
from training.detector.data import Picture
from training.detector.labels import Labels, overlaps, shared_areas
from training.detector.targets import levels

Floats = NDArray[np.float32]

_SIDE = 320
_BATCH = 16
_MIN_SCORE = 0.5
_LEAST_WIDTH = 14  # pixels at the size looked at; smaller faces may be missed
_APART = 0.2  # overlap with a face or an unsure area up to which it is an alarm of its own


def mine(
    model: keras.Model, pictures: Sequence[Picture], labels: Sequence[Labels]
) -> tuple[list[Spot], list[Spot]]:
    """False alarms of ``model``, and missed faces, at the size of picture that it is served at."""
    alarms, missed = [], []
    for first in range(0, len(pictures), _BATCH):
        numbers = range(first, min(first + _BATCH, len(pictures)))
        canvases = np.zeros((_BATCH, _SIDE, _SIDE, 1), np.uint8)
        scales = []
        for canvas, number in zip(canvases, numbers, strict=False):
            luma = pictures[number].gray()
            place = letterbox(luma.shape[1], luma.shape[0], _SIDE)
            canvas[: place.inner_height, : place.inner_width, 0] = scale_onto(luma, place)
            scales.append((luma.shape[1] / place.inner_width, luma.shape[0] / place.inner_height))
        answers = np.asarray(model.predict_on_batch(canvases), np.float32)
        for number, answer, scale in zip(numbers, answers, scales, strict=False):
            faces = suppress(decode(levels(answer, _SIDE, _SIDE), _SIDE, _MIN_SCORE)).scaled(*scale)
            alarms += [Spot(number, box) for box in false_alarms(faces.boxes, labels[number])]
            missed += [
                Spot(number, box)
                for box in not_found(labels[number].boxes, faces.boxes)
                if box[2] >= _LEAST_WIDTH * scale[0]
            ]
    return alarms, missed


def false_alarms(boxes: Floats, labels: Labels) -> Floats:
    """Those of ``boxes`` [N, 4] that are neither faces nor unsure."""
    wrong = np.ones(len(boxes), bool)
    if len(labels.boxes):
        wrong &= overlaps(boxes, labels.boxes).max(axis=1) < _APART
    if len(labels.unsure):
        inside = shared_areas(boxes, labels.unsure).max(axis=1)
        wrong &= inside < _APART * boxes[:, 2:].prod(axis=1)
    return boxes[wrong]


def not_found(boxes: Floats, found: Floats) -> Floats:
    """Those of ``boxes`` [N, 4] that none of ``found`` [M, 4] overlaps by half."""
    if len(boxes) == 0 or len(found) == 0:
        return boxes
    alone = np.max(overlaps(boxes, found), axis=1) < 0.5
    return np.asarray(boxes[alone], np.float32)
