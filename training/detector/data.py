"""The pictures to train and test on: reading, splitting. The data's README describes the files."""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.folder import DataError, file_bytes, subfolder

Floats = NDArray[np.float32]

# Shares held out of training, by source; sources that are not named have the last one's.
_HELD_OUT = {"dlib": 1.0, "mask853": 0.25, "portrait": 0.0}
_HELD_OUT_NO_FACE = 0.4  # a rate of 1 in 200 takes more than 200 pictures to see
_HELD_OUT_OTHERS = 0.12


@dataclass(frozen=True)
class Picture:
    """One picture file and what its folder says of it.

    Attributes:
        name: path of the file, unique.
        source: where it is from.
        people: True where ``boxes`` are people's own, False where a detector's.
        boxes: float32 [N, 4], left, top, width, height in pixels.
        tags: N words of people, empty for a detector's boxes.
        unsure: float32 [M, 4], boxes that are neither faces nor none.
        face_free: nobody, and no detector, sees a face.
        held_out: never trained on.
        encoded: the JPEG file.
    """

    name: str
    source: str
    people: bool
    boxes: Floats
    tags: tuple[str, ...]
    unsure: Floats
    face_free: bool
    held_out: bool
    encoded: bytes

    def colour(self) -> NDArray[np.uint8]:
        """BGR, uint8 [H, W, 3].

        Raises:
            DataError: the file is damaged.
        """
        pixels = cv2.imdecode(np.frombuffer(self.encoded, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise DataError(f"picture {self.name} of the data folder is damaged")
        return np.asarray(pixels, np.uint8)


def load(data: Path) -> list[Picture]:
    """All pictures of ``scenes`` and ``faces``, in a fixed order.

    Raises:
        DataError: files are missing or are not what they should be.
    """
    return _scenes(subfolder(data, "scenes")) + _faces(subfolder(data, "faces"))


def boxes_array(boxes: Any) -> Floats:
    """float32 [N, 4] of a list, also of an empty one."""
    return np.asarray(boxes, np.float32).reshape(-1, 4)


def held_out(name: str, source: str, *, face_free: bool) -> bool:
    """Whether a picture is kept for evaluation: decided by its name, so it never changes."""
    share = _HELD_OUT_NO_FACE if face_free else _HELD_OUT.get(source, _HELD_OUT_OTHERS)
    return zlib.crc32(name.encode()) % 1000 < 1000 * share


def _scenes(folder: Path) -> list[Picture]:
    rows = _json(folder / "index.json")
    archives: dict[str, zipfile.ZipFile] = {}
    pictures = []
    try:
        for row in rows:
            archive = row["zip"]
            if archive not in archives:
                archives[archive] = zipfile.ZipFile(io.BytesIO(file_bytes(folder / archive)))
            name = f"scenes/{archive.removesuffix('.zip')}/{row['file']}"
            face_free = row["kind"] == "none"
            pictures.append(
                Picture(
                    name=name,
                    source=row["source"],
                    people=False,
                    boxes=boxes_array(row["boxes"]),
                    tags=(),
                    unsure=boxes_array(row["unsure"]),
                    face_free=face_free,
                    held_out=held_out(name, row["source"], face_free=face_free),
                    encoded=archives[archive].read(row["file"]),
                )
            )
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{folder} is damaged: {error!r}") from error
    return pictures


def _faces(folder: Path) -> list[Picture]:
    pictures = []
    for row in _json(folder / "annotations.json"):
        try:
            boxes = boxes_array(row["boxes"])
            ignored = np.array([tag == "ignore" for tag in row["tags"]], bool)
            name, source = f"faces/{row['file']}", row["source"]
            pictures.append(
                Picture(
                    name=name,
                    source=source,
                    people=row["truth"] == "human",
                    boxes=boxes[~ignored],
                    tags=tuple(tag for tag in row["tags"] if tag != "ignore"),
                    unsure=boxes[ignored],
                    face_free=False,
                    held_out=held_out(name, source, face_free=False),
                    encoded=file_bytes(folder / row["file"]),
                )
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(f"{folder / 'annotations.json'} is damaged: {error!r}") from error
    return pictures


def _json(file: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(file_bytes(file))
    except ValueError as error:
        raise DataError(f"{file} is damaged: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{file} is damaged: expected a list of pictures")
    return rows
