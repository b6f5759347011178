"""FER2013 with FER+ votes: loading, cleaning, splitting.

The data folder's README describes the files and their flaws. FER2013: Goodfellow et al., 2013.
FER+: Barsoum et al., 2016, whose protocol for the test is followed here.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.folder import DataError, file_bytes, subfolder

FER_PLUS_CLASSES = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
FER2013_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

ROWS = 35_887
TRAINING, VALIDATION, TEST = 0, 1, 2
_TILES = 40
_FACE = 48


@dataclass(frozen=True)
class Faces:
    """Faces with both kinds of labels; all arrays have the same number of rows.

    Attributes:
        pixels: uint8 [N, 48, 48].
        votes: uint8 [N, 10], FER+: the eight classes, unknown, not a face.
        label: int8 [N], FER2013's own label.
        usage: int8 [N], 0 training, 1 validation, 2 test.
        exact: bool [N], the pixels are the original ones.
        group: int32 [N], equal for identical pictures.
        seen: bool [N], of a test row: the picture or a near copy of it is in the training or the
            validation split.
    """

    pixels: NDArray[np.uint8]
    votes: NDArray[np.uint8]
    label: NDArray[np.int8]
    usage: NDArray[np.int8]
    exact: NDArray[np.bool_]
    group: NDArray[np.int32]
    seen: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, rows: NDArray[np.bool_]) -> "Faces":
        """The rows that a mask, bool [N], chooses."""
        return Faces(
            self.pixels[rows],
            self.votes[rows],
            self.label[rows],
            self.usage[rows],
            self.exact[rows],
            self.group[rows],
            self.seen[rows],
        )


def load(data: Path) -> Faces:
    """All faces of the folder ``fer`` in ``data``, in the order of the original table.

    Raises:
        DataError: files are missing or are not what they should be.
    """
    folder = subfolder(data, "fer")
    mosaics = sorted(folder.glob("fer2013_*.webp"))
    if not mosaics:
        raise DataError(f"no fer2013_*.webp in {folder}")
    pixels = np.concatenate([_tiles(file) for file in mosaics])
    try:
        with np.load(io.BytesIO(file_bytes(folder / "labels.npz"))) as stored:
            labels = {name: stored[name] for name in stored.files}
        votes = labels["ferplus_votes"]
        faces = Faces(
            pixels[: len(votes)],
            votes,
            labels["emotion"],
            labels["usage"],
            labels["exact_pixels"],
            labels["dup_group"],
            labels["seen_in_training"] > 0,
        )
    except (KeyError, ValueError, OSError, EOFError) as error:
        raise DataError(f"{folder / 'labels.npz'} is damaged: {error}") from error
    if votes.shape[1:] != (10,) or not all(
        len(array) == len(votes)
        for array in (pixels[: len(votes)], faces.label, faces.usage, faces.exact, faces.group)
    ):
        raise DataError(
            f"{folder}: {len(pixels)} pictures for {len(votes)} rows of labels; expected as many"
        )
    tested = faces.usage == TEST
    faces.seen[tested] |= near_copies(faces.pixels[tested], faces.pixels[faces.usage == VALIDATION])
    return faces


def near_copies(
    faces: NDArray[np.uint8], others: NDArray[np.uint8], correlation: float = 0.98
) -> NDArray[np.bool_]:
    """Which of the faces, uint8 [N, 48, 48], nearly equal one of the others, bool [N].

    By the correlation of pixels, with the data folder's own threshold.
    """

    def standardised(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = pictures.reshape(len(pictures), -1).astype(np.float32)
        rows -= rows.mean(axis=1, keepdims=True)
        normalised: NDArray[np.float32] = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1)
        return normalised

    alike = standardised(faces) @ standardised(others).T > correlation
    return np.asarray(np.any(alike, axis=1), np.bool_)


def _tiles(file: Path) -> NDArray[np.uint8]:
    mosaic = cv2.imdecode(np.frombuffer(file_bytes(file), np.uint8), cv2.IMREAD_GRAYSCALE)
    if mosaic is None or mosaic.shape[1] != _TILES * _FACE or mosaic.shape[0] % _FACE:
        raise DataError(
            f"{file} is damaged; expected a picture of rows of {_TILES} faces of {_FACE}x{_FACE}"
        )
    return np.ascontiguousarray(
        mosaic.reshape(-1, _FACE, _TILES, _FACE).swapaxes(1, 2).reshape(-1, _FACE, _FACE)
    )


def fer_plus_distributions(votes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What FER+'s voters say of each face, float32 [N, 8] of [N, 10].

    Classes with a single vote count as none. A row sums to 1, or to 0 where most voters took the
    picture for unknown or not a face.
    """
    kept = np.where(votes <= 1, 0, votes).astype(np.float32)
    classes = kept[:, :8]
    usable = (kept.argmax(axis=1) < 8) & (classes.sum(axis=1) > 0)
    return np.where(
        usable[:, None], classes / np.maximum(classes.sum(axis=1, keepdims=True), 1), 0
    ).astype(np.float32)


def fer_plus_majority(votes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class by FER+'s "majority" protocol, int64 [N]; -1 where a face is left out.

    Single votes are dropped; the top class must have more than half of the votes that remain;
    unknown and not-a-face are left out (Barsoum et al., section 3).
    """
    kept = np.where(votes <= 1, 0, votes).astype(np.int64)
    top = kept.argmax(axis=1)
    clear = (2 * kept.max(axis=1) > kept.sum(axis=1)) & (top < 8)
    return np.where(clear, top, -1)


def training_rows(faces: Faces) -> NDArray[np.bool_]:
    """The rows to train on, bool [N]: of FER2013's training and validation splits.

    Leaves out what FER+ calls no face, pixels that are not exact, every picture that also stands in
    the test split, and those of ``validation_rows``.
    """
    return _usable(faces) & ~_held_out(faces)


def validation_rows(faces: Faces) -> NDArray[np.bool_]:
    """The rows to choose and calibrate by, bool [N]: a fifth of the validation split.

    None is trained on, and none stands in the test split.
    """
    split: NDArray[np.bool_] = faces.usage == VALIDATION
    return _usable(faces) & _held_out(faces) & split


def _usable(faces: Faces) -> NDArray[np.bool_]:
    tested = np.isin(faces.group, faces.group[faces.usage == TEST])
    no_face: NDArray[np.bool_] = faces.votes.argmax(axis=1) == 9
    return faces.exact & ~tested & ~no_face


def _held_out(faces: Faces) -> NDArray[np.bool_]:
    chosen = (faces.usage == VALIDATION) & (np.cumsum(faces.usage == VALIDATION) % 5 == 0)
    held_out: NDArray[np.bool_] = np.isin(faces.group, faces.group[chosen])
    return held_out
