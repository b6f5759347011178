"""How good a served model is: pure functions over scores, and the run over the test split."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training import litert
from training.classifier import data
from training.classifier.network import FER2013
from training.litert import Classifier, Scores
from training.pictures import through_jpeg

# Changes of the test faces, each uint8 [48, 48] to the same.
CONDITIONS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "as it is": lambda face: face,
    "mirrored": lambda face: np.ascontiguousarray(face[:, ::-1]),
    "blurred (sigma 1.5 px)": lambda face: np.asarray(
        cv2.GaussianBlur(face, (0, 0), 1.5), np.uint8
    ),
    "dark (an eighth of the light, noise of 2)": lambda face: _noisy(face // 8),
    "small (20 px wide)": lambda face: np.asarray(
        cv2.resize(cv2.resize(face, (20, 20), interpolation=cv2.INTER_AREA), (48, 48)), np.uint8
    ),
    "JPEG at quality 60": lambda face: through_jpeg(face, 60),
    "shifted by 4 px": lambda face: _moved(face, shift=4),
    "15 % larger": lambda face: _moved(face, scale=1.15),
    "turned by 10 degrees": lambda face: _moved(face, degrees=10),
    "mouth covered": lambda face: _covered(face, slice(30, 44), slice(10, 38)),
    "eyes covered": lambda face: _covered(face, slice(12, 22), slice(6, 42)),
}


@dataclass(frozen=True)
class Quality:
    """Of one model on faces of known classes.

    Attributes:
        accuracy: part of the faces whose top score is at their class.
        recall: of each class, float64 [C]; nan where no face has it.
        precision: of each class, float64 [C]; nan where it is never the top.
        confusion: int64 [C, C], rows the faces' classes, columns the top scores.
        reliability: see ``reliability``.
    """

    accuracy: float
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    confusion: NDArray[np.int64]
    reliability: NDArray[np.float64]

    @property
    def faces(self) -> int:
        """Their number."""
        return int(self.confusion.sum())

    @property
    def mean_recall(self) -> float:
        """Over the classes that faces have."""
        return float(np.nanmean(self.recall)) if self.faces else float("nan")


@dataclass(frozen=True)
class Measured:
    """Of one served version, on the test split.

    Attributes:
        clear: on faces of a clear FER+ class that training did not see.
        mirrored: on the same faces, by the mean with the mirrored ones' scores.
        seven: on all faces, of FER2013's own labels; None where the model has no scores of them.
        seven_unseen: likewise, on faces of which no other split has a copy.
        conditions: accuracy on the faces of ``clear``, changed in each way of ``CONDITIONS``.
    """

    clear: Quality
    mirrored: Quality
    seven: Quality | None
    seven_unseen: Quality | None
    conditions: dict[str, float]


def measure(faces: data.Faces, file: Path) -> Measured:
    """Runs the version's ``model.tflite`` over the test split.

    Raises:
        DataError: the file is missing or damaged.
    """
    clear, classes = fer_plus_test(faces)
    classify = litert.classifier(file)
    scores = classify(clear.pixels)
    flipped = classify(np.ascontiguousarray(clear.pixels[:, :, ::-1]))
    seven = seven_unseen = None
    if FER2013 in litert.signatures(file):
        test, labels = fer2013_test(faces)
        scores_of_seven = litert.classifier(file, FER2013)(test.pixels)
        seven = quality(scores_of_seven, labels)
        seven_unseen = quality(scores_of_seven[~test.seen], labels[~test.seen])
    return Measured(
        clear=quality(scores, classes),
        mirrored=quality((scores + flipped) * np.float32(0.5), classes),
        seven=seven,
        seven_unseen=seven_unseen,
        conditions=under_conditions(classify, clear.pixels, classes),
    )


def quality(scores: Scores, classes: NDArray[np.int64]) -> Quality:
    """Of scores, float32 [N, C], for faces of these classes, int64 [N]."""
    count = scores.shape[1]
    top = scores.argmax(axis=1)
    confusion = np.bincount(classes * count + top, minlength=count * count).reshape(count, count)
    right = np.diag(confusion).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return Quality(
            accuracy=float(right.sum() / max(1, len(classes))),
            recall=right / confusion.sum(axis=1),
            precision=right / confusion.sum(axis=0),
            confusion=confusion,
            reliability=reliability(scores, classes),
        )


def reliability(scores: Scores, classes: NDArray[np.int64], bins: int = 15) -> NDArray[np.float64]:
    """What top scores mean, by their height, from 0 to 1 in equal steps.

    Returns:
        float64 [bins, 3]: number of faces, mean top score, part that is right; 0 where no face is.
    """
    sure = scores.max(axis=1).astype(np.float64)
    right = scores.argmax(axis=1) == classes
    place = np.minimum((sure * bins).astype(int), bins - 1)
    faces, sums, hits = (
        np.bincount(place, weights=weights, minlength=bins) for weights in (None, sure, right)
    )
    return np.stack([faces, sums / np.maximum(faces, 1), hits / np.maximum(faces, 1)], axis=1)


def calibration_error(found: NDArray[np.float64]) -> float:
    """Expected calibration error (Naeini et al., 2015) of a ``reliability``; 0 is best."""
    faces, score, right = found.T
    return float((faces * np.abs(right - score)).sum() / max(1, faces.sum()))


def best_temperature(logits: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
    """What to divide logits, float32 [N, C], by for the least log loss; between 0.25 and 4."""
    candidates = np.exp(np.linspace(np.log(0.25), np.log(4), 241))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chosen = scaled[np.arange(len(classes)), classes]
        return float((np.log(np.exp(scaled).sum(axis=1)) - chosen).mean())

    return float(min(candidates, key=loss))


def fer_plus_test(faces: data.Faces) -> tuple[data.Faces, NDArray[np.int64]]:
    """Test faces of a clear FER+ class that training cannot have seen, and the classes."""
    classes = data.fer_plus_majority(faces.votes)
    rows = (faces.usage == data.TEST) & faces.exact & (classes >= 0) & ~faces.seen
    return faces.take(rows), classes[rows]


def fer2013_test(faces: data.Faces) -> tuple[data.Faces, NDArray[np.int64]]:
    """All of FER2013's own test split, and its seven labels."""
    rows = faces.usage == data.TEST
    return faces.take(rows), faces.label[rows].astype(np.int64)


def under_conditions(
    classify: Classifier, faces: NDArray[np.uint8], classes: NDArray[np.int64]
) -> dict[str, float]:
    """Accuracy on the faces, changed in each way of ``CONDITIONS``."""
    return {
        name: quality(classify(np.stack([change(face) for face in faces])), classes).accuracy
        for name, change in CONDITIONS.items()
    }


def _noisy(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(int(face.sum())).normal(0, 2, face.shape)
    return np.clip(face + noise, 0, 255).astype(np.uint8)


def _moved(
    face: NDArray[np.uint8], shift: float = 0, scale: float = 1, degrees: float = 0
) -> NDArray[np.uint8]:
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), degrees, scale)
    matrix = matrix + np.array([0, 0, shift])
    moved = cv2.warpAffine(face, matrix, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _covered(face: NDArray[np.uint8], rows: slice, columns: slice) -> NDArray[np.uint8]:
    covered = face.copy()
    covered[rows, columns] = 128
    return covered
