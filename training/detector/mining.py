"""Hard examples: what the network, half trained, takes for faces, and the faces that it misses.

Both in its own pictures. Profiles and faces that look down are rare, and would be learnt last.
"""

from collections.abc import Sequence

import keras
import numpy as np
from emotion_detector.boxes import Faces, decode, suppress
from numpy.typing import NDArray

from training.detector.augment import Spot
from training.detector.data import Picture
from training.detector.labels import Labels, overlaps, shared_areas
from training.detector.network import CHANNELS
from training.detector.reference import resized
from training.detector.targets import levels

Floats = NDArray[np.float32]

_SIDES = (320, 640)  # of the longer side of a picture
_BATCH = 8
_MIN_SCORE = 0.4
_LEAST_WIDTH = 14  # pixels at the size looked at; smaller faces may be missed
_APART = 0.2  # overlap with a face or an unsure area up to which it is an alarm of its own


def mine(
    model: keras.Model, pictures: Sequence[Picture], labels: Sequence[Labels]
) -> tuple[list[Spot], list[Spot]]:
    """False alarms of ``model``, and missed faces, at the sizes of picture that it is judged at.

    The larger one is most pictures enlarged: blurred, as small faces in a good camera's pictures
    are, and with four times as many places for an alarm.
    """
    alarms: list[Spot] = []
    missed: list[Spot] = []
    print(f"collecting mistakes at {' and '.join(map(str, _SIDES))}", flush=True)
    progress = keras.utils.Progbar(len(_SIDES) * len(pictures), unit_name="picture")
    for side in _SIDES:
        for first in range(0, len(pictures), _BATCH):
            numbers = range(first, min(first + _BATCH, len(pictures)))
            found = _find(model, [pictures[number].colour() for number in numbers], side)
            for number, (faces, scale) in zip(numbers, found, strict=True):
                known = labels[number]
                alarms += [Spot(number, box) for box in false_alarms(faces.boxes, known)]
                missed += [
                    Spot(number, box)
                    for box in not_found(known.boxes, faces.boxes)
                    if box[2] >= _LEAST_WIDTH * scale
                ]
            progress.add(len(numbers))
    return alarms, missed


def _find(
    model: keras.Model, pixels: Sequence[NDArray[np.uint8]], side: int
) -> list[tuple[Faces, float]]:
    """Faces in each picture, looked at with its longer side at ``side``, and its pixels in one."""
    canvases = np.zeros((_BATCH, side, side, CHANNELS), np.uint8)  # always as many: compiled once
    scales = []
    for canvas, picture in zip(canvases, pixels, strict=False):
        scaled = resized(picture, side)
        rows, columns = scaled.shape[:2]
        canvas[:rows, :columns] = scaled
        scales.append((picture.shape[1] / columns, picture.shape[0] / rows))
    answers = np.asarray(model.predict_on_batch(canvases), np.float32)
    return [
        (suppress(decode(levels(answer, side, side), side, _MIN_SCORE)).scaled(*scale), scale[0])
        for answer, scale in zip(answers, scales, strict=False)
    ]


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
