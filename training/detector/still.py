"""Moving pictures: how many frames have a face, and how steady its box is."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from emotion_detector.boxes import Faces
from numpy.typing import NDArray

from training.folder import DataError
from training.pictures import through_jpeg

Pixels = NDArray[np.uint8]
Look = Callable[[Pixels, float], Faces]

WEBCAM = ("webcam_again.mkv", "webcam_book.mkv", "webcam_sorry.mkv")
WITH_FACES = (*WEBCAM, "head_pose_woman.mp4", "three_people.mp4", "stage.mp4")
WITHOUT_FACES = ("back_view_no_face.mp4",)


def frames(file: Path) -> Iterator[Pixels]:
    """BGR frames of a clip.

    Raises:
        DataError: it can not be read.
    """
    clip = cv2.VideoCapture(str(file))
    ok, frame = clip.read()
    if not ok:
        raise DataError(f"cannot read the clip {file}")
    while ok:
        yield np.asarray(frame, np.uint8)
        ok, frame = clip.read()
    clip.release()


def counts(look: Look, pictures: Sequence[Pixels], min_score: float) -> NDArray[np.int64]:
    """Faces found in each picture, int64 [N]."""
    return np.array([len(look(picture, min_score)) for picture in pictures])


def unrest(look: Look, pictures: Sequence[Pixels], min_score: float) -> float:
    """How much the best face's middle jerks from frame to frame, in thousandths of its width.

    The median length of the second difference over three frames, which steady movement does not
    change. NaN where no three frames in a row have a face.
    """
    middles, width = _middles(look, pictures, min_score)
    second = middles[2:] - 2 * middles[1:-1] + middles[:-2]
    lengths = np.hypot(*second.T)
    lengths = lengths[np.isfinite(lengths)]
    return float(1000 * np.median(lengths) / width) if len(lengths) else float("nan")


def still_views(
    picture: Pixels, number: int, rng: np.random.Generator
) -> tuple[list[Pixels], NDArray[np.float64]]:
    """A picture as a camera sees a still scene: shifted by up to a pixel, noisy, through JPEG.

    Returns:
        The views, and the shifts (x, y) in pixels, float64 [number, 2].
    """
    shifts = rng.uniform(-1, 1, (number, 2))
    views = []
    for x, y in shifts:
        matrix = np.array([[1, 0, x], [0, 1, y]])
        size = picture.shape[1::-1]
        moved = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        view = np.clip(moved + rng.normal(0, 3, moved.shape), 0, 255).astype(np.uint8)
        views.append(through_jpeg(view, int(rng.integers(60, 90))))
    return views, shifts


def jitter(
    look: Look, views: Sequence[Pixels], shifts: NDArray[np.float64], min_score: float
) -> float:
    """How far the best face's middle strays from where ``still_views`` moved it.

    In thousandths of its width; NaN where it is never found.
    """
    middles, width = _middles(look, views, min_score)
    away = middles - shifts
    away = away[np.isfinite(away).all(axis=1)]
    if len(away) == 0:
        return float("nan")
    return float(1000 * np.sqrt(((away - away.mean(axis=0)) ** 2).sum(axis=1).mean()) / width)


def _middles(
    look: Look, pictures: Sequence[Pixels], min_score: float
) -> tuple[NDArray[np.float64], float]:
    """Middle of each picture's best face (NaN: none), float64 [N, 2]; their median width."""
    middles, widths = np.full((len(pictures), 2), np.nan), []
    for row, picture in enumerate(pictures):
        faces = look(picture, min_score)
        if len(faces):
            box = faces.boxes[0].astype(np.float64)
            middles[row] = box[:2] + box[2:] / 2
            widths.append(box[2])
    return middles, float(np.median(widths)) if widths else 1.0
