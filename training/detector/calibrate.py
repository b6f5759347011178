"""The score that the service asks for by default, tied to a rate of false alarms."""

from collections.abc import Sequence

import keras
import numpy as np

from training.detector.data import Picture
from training.detector.labels import Labels
from training.detector.reference import Detector
from training.detector.scoring import judge, threshold_at, together

ALARMS = 0.02  # a picture, at the score of 0.5
FACE_FREE_ALARMS = 1 / 250  # a picture that nobody is in, likewise
_SIZE = 320
_LEAST_WIDTH = 20
_MOST = 2000
_LOWEST = 0.1


def score_at_alarms(model: bytes, pictures: Sequence[Picture], labels: Sequence[Labels]) -> float:
    """The score from which ``model`` raises at most ``ALARMS`` false alarms a picture, and
    ``FACE_FREE_ALARMS`` a picture without a face.

    Measured on pictures that it was trained on, at most 2,000 and none with people's boxes, which
    leave faces out; so that the held-out ones stay unseen.

    Args:
        model: an ONNX file.
        pictures: all of them.
        labels: theirs.
    """
    detector = Detector(model)
    chosen = [
        (picture, known)
        for picture, known in zip(pictures, labels, strict=True)
        if not picture.held_out and not picture.people
    ][:_MOST]
    progress = keras.utils.Progbar(len(chosen), unit_name="picture")
    judged = []
    for picture, known in chosen:
        pixels = picture.colour()
        least = _LEAST_WIDTH * max(pixels.shape[:2]) / _SIZE
        judged.append(judge(detector.find(pixels, _LOWEST, _SIZE), known, least))
        progress.add(1)
    free = [p.colour() for p in pictures if p.face_free and not p.held_out]
    best = [float(detector.find(pixels, _LOWEST, _SIZE).scores.max(initial=0)) for pixels in free]
    score = max(threshold_at(together(judged), ALARMS), above(best, FACE_FREE_ALARMS))
    return min(max(score, 0.05), 0.95)


def above(scores: Sequence[float], share: float) -> float:
    """A score that this share of pictures reaches of which ``scores`` are a sample; 0 without one.

    The k-th highest of n stands for a share of k / (n + 1) (Weibull, 1939), and what lies between
    two is interpolated: with few pictures, the worst of them alone decides nothing.
    """
    if not scores:
        return 0.0
    ranks = np.arange(1, len(scores) + 1) / (len(scores) + 1)
    return float(np.interp(share, ranks, sorted(scores, reverse=True)))
