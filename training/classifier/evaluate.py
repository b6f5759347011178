"""How good a served model is: pure functions over scores, and the run over the test faces."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.classifier import data

Scores = NDArray[np.float32]
Classifier = Callable[[NDArray[np.uint8]], Scores]

# Changes of the test faces, each uint8 [48, 48] to the same.
CONDITIONS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "as it is": lambda face: face,
    "mirrored": lambda face: np.ascontiguousarray(face[:, ::-1]),
    "blurred (sigma 1.5 px)": lambda face: cv2.GaussianBlur(face, (0, 0), 1.5),
    "dark (an eighth of the light, noise of 2)": lambda face: _noisy(face // 8),
    "small (20 px wide)": lambda face: cv2.resize(
        cv2.resize(face, (20, 20), interpolation=cv2.INTER_AREA), (48, 48)
    ),
    "JPEG at quality 60": lambda face: cv2.imdecode(
        cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE
    ),
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
        calibration_error: see ``calibration_error``.
    """

    accuracy: float
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    confusion: NDArray[np.int64]
    calibration_error: float


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
            calibration_error=calibration_error(scores, classes),
        )


def calibration_error(scores: Scores, classes: NDArray[np.int64], bins: int = 15) -> float:
    """Expected calibration error of the top scores (Naeini et al., 2015), 0 is best."""
    sure = scores.max(axis=1)
    right = scores.argmax(axis=1) == classes
    place = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(right[place == k].sum() - sure[place == k].sum()) for k in range(bins)]
    return float(sum(gaps) / max(1, len(classes)))


def best_temperature(logits: NDArray[np.float32], classes: NDArray[np.int64]) -> float:
    """What to divide logits, float32 [N, C], by for the least log loss; between 0.25 and 4."""
    candidates = np.exp(np.linspace(np.log(0.25), np.log(4), 241))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chosen = scaled[np.arange(len(classes)), classes]
        return float((np.log(np.exp(scaled).sum(axis=1)) - chosen).mean())

    return float(min(candidates, key=loss))


def served(file: Path, signature: str) -> Classifier:
    """``model.tflite`` as the embedded server runs it: uint8 [N, 48, 48] to float32 [N, C]."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(file), num_threads=1).get_signature_runner(signature)

    def classify(faces: NDArray[np.uint8]) -> Scores:
        rows = [next(iter(runner(faces=face[None, ..., None]).values())) for face in faces]
        return np.concatenate(rows)

    return classify


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
    matrix[:, 2] += shift
    moved: NDArray[np.uint8] = cv2.warpAffine(
        face, matrix, (48, 48), borderMode=cv2.BORDER_REPLICATE
    )
    return moved


def _covered(face: NDArray[np.uint8], rows: slice, columns: slice) -> NDArray[np.uint8]:
    covered = face.copy()
    covered[rows, columns] = 128
    return covered
