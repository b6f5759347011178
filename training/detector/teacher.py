"""A reference detector as teacher: what it answers in each cell of a canvas (Hinton et al., 2015).

Its answers are soft and are asked for on the very canvas that the network sees (Beyer et al.,
2022), so that it teaches tilt, darkness and covered faces, too; but before its colours are
changed. The labels correct it: several looks at the whole picture know more than its one.
"""

import numpy as np
from numpy.typing import NDArray

from training.detector import targets
from training.detector.augment import View
from training.detector.labels import overlaps
from training.detector.network import BOX, CLASS, LANDMARKS, OBJECT, STRIDES
from training.detector.reference import Detector
from training.detector.targets import encode

Floats = NDArray[np.float32]

_SEEN = 0.4  # score of a cell from which the teacher has found the face that it overlaps
_SURE = 0.9  # as what the best cell of a found face counts at least
_HINT = 0.05  # of a cell from which its box means something
_ALARM = 0.15  # of a cell from which it is an alarm, false where no label is near
_SAME = 0.4


def taught(view: View, teacher: Detector) -> Floats:
    """Targets of a canvas: the teacher's answers, and the labels' where it misses or is wrong.

    Args:
        view: the canvas, BGR.
        teacher: with the network's strides and outputs.

    Returns:
        float32 [A, 19], see ``targets``.
    """
    height, width = view.pixels.shape[:2]
    answers = teacher.answers(view.pixels)
    cells, boxes = _boxes(answers, width, height)
    near: NDArray[np.bool_] = np.zeros(len(cells), np.bool_)
    missed: NDArray[np.bool_] = np.ones(len(view.boxes), np.bool_)
    if len(view.boxes) and len(cells):
        same = overlaps(boxes, view.boxes) > _SAME
        near |= same.any(axis=1)
        found = same & (_scores(answers[cells]) > _SEEN)[:, None]
        missed = ~np.asarray(np.any(found, axis=0))
        best = np.where(same, answers[cells, OBJECT], 0).max(axis=0)
        more = np.where(same & ~missed, _SURE / np.maximum(best, 1e-6), 1).max(axis=1)
        answers[cells, OBJECT] = np.minimum(
            answers[cells, OBJECT] * np.maximum(more, 1)[:, None], 1
        )
    if len(view.unsure) and len(cells):
        near |= _inside(boxes, view.unsure)

    # What the labels say of faces that it misses, and of unsure areas.
    wanted = encode(view.boxes[missed], view.landmarks[missed], view.unsure, width, height)
    state = wanted[:, targets.STATE]
    open_to_teacher = state[:, 0] < targets.FACE
    alarms = np.zeros(len(answers), bool)
    alarms[cells[~near]] = _scores(answers[cells[~near]]) > _ALARM
    soft = open_to_teacher & ~alarms
    if missed.any():  # what the labels leave open around a missed face stays open
        soft &= ~((state[:, 0] == targets.UNSURE) & (answers[:, OBJECT][:, 0] < _ALARM))
    state[soft] = answers[soft, OBJECT]

    counted = cells[near & soft[cells]]
    wanted[counted, targets.BOX] = answers[counted, BOX]
    wanted[counted, targets.LANDMARKS] = answers[counted, LANDMARKS]
    wanted[counted, targets.KNOWN] = 1
    wanted[counted, targets.SIZE] = np.exp(answers[counted, BOX][:, 2:].mean(axis=1, keepdims=True))
    wanted[counted, targets.CLASS] = answers[counted, CLASS]
    wanted[counted, targets.WEIGHT] = answers[counted, OBJECT]
    return wanted


def _scores(answers: Floats) -> Floats:
    return np.asarray(np.sqrt(answers[:, 0] * answers[:, 1]), np.float32)


def _boxes(answers: Floats, width: int, height: int) -> tuple[NDArray[np.intp], Floats]:
    """The cells that say something, [C], and their boxes in pixels, [C, 4]."""
    origins, strides = [], []
    for step in STRIDES:
        rows, columns = np.divmod(np.arange((width // step) * (height // step)), width // step)
        origins.append(np.stack([columns, rows], axis=1))
        strides.append(np.full((len(rows), 1), step))
    cells = np.flatnonzero(answers[:, OBJECT][:, 0] > _HINT)
    stride = np.concatenate(strides)[cells].astype(np.float32)
    box = answers[cells, BOX]
    sides = np.exp(np.minimum(box[:, 2:], 6)) * stride
    middles = (np.concatenate(origins)[cells] + box[:, :2]) * stride
    return cells, np.concatenate([middles - sides / 2, sides], axis=1).astype(np.float32)


def _inside(boxes: Floats, areas: Floats) -> NDArray[np.bool_]:
    """Whether the middle of each box lies in one of the areas."""
    middles = boxes[:, None, :2] + boxes[:, None, 2:] / 2
    start, end = areas[:, :2], areas[:, :2] + areas[:, 2:]
    within = np.all((middles >= start) & (middles <= end), axis=2)
    return np.asarray(np.any(within, axis=1), np.bool_)
