"""Pictures with drawn faces, so that a training needs no data."""

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.detector.data import Picture
from training.detector.labels import Labels

_LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.78], [0.65, 0.78]], np.float32)
_SKIN, _DARK = (190, 200, 240), (20, 20, 20)


def face(
    pixels: NDArray[np.uint8], box: tuple[float, float, float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draws a pink oval with two eyes, a nose and a mouth; its box [4] and landmarks [5, 2]."""
    x, y, width, height = box
    middle = round(x + width / 2), round(y + height / 2)
    cv2.ellipse(pixels, middle, (round(width / 2), round(height / 2)), 0, 0, 360, _SKIN, -1)
    points = (np.array([x, y]) + _LANDMARKS * (width, height)).astype(np.float32)
    for point in points[:3]:
        cv2.circle(pixels, tuple(int(v) for v in point), max(1, round(width / 14)), _DARK, -1)
    ends = [tuple(int(v) for v in point) for point in points[3:]]
    cv2.line(pixels, *ends, _DARK, max(1, round(width / 14)))
    return np.array(box, np.float32), points


def picture(
    number: int, *, faces: int = 1, size: int = 160
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """BGR pixels, boxes [N, 4] and landmarks [N, 5, 2] of a picture of noise with drawn faces."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(60, 120, (size, size, 3)).astype(np.uint8)
    drawn = []
    for column in range(faces):
        width = float(rng.uniform(0.5, 0.9) * size / max(faces, 2))
        x = column * size / faces + rng.uniform(0, size / faces - width)
        y = rng.uniform(0, size - 1.25 * width)
        drawn.append(face(pixels, (x, y, width, 1.25 * width)))
    return (
        pixels,
        np.array([box for box, _ in drawn], np.float32).reshape(-1, 4),
        np.array([points for _, points in drawn], np.float32).reshape(-1, 5, 2),
    )


def pictures(count: int) -> tuple[list[Picture], list[Labels]]:
    """Pictures with labels: a quarter face-free, a fifth held out, a third with people's boxes."""
    made, known = [], []
    for number in range(count):
        faces = 0 if number % 4 == 3 else 1 + number % 2
        people = faces > 0 and number % 3 == 0
        pixels, boxes, landmarks = picture(number, faces=faces, size=240)
        made.append(
            Picture(
                name=str(number),
                source="drawn",
                people=people,
                boxes=boxes,
                tags=("with_mask",) * faces if people else (),
                unsure=np.empty((0, 4), np.float32),
                face_free=faces == 0,
                held_out=number % 5 == 4,
                encoded=jpeg(pixels),
            )
        )
        known.append(Labels(boxes, landmarks, np.empty((0, 4), np.float32)))
    return made, known


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """The pixels as a JPEG file."""
    _, encoded = cv2.imencode(".jpg", pixels)
    return encoded.tobytes()


def data_folder(folder: Path, count: int = 6) -> Path:
    """A data folder with ``scenes`` and ``faces`` as the README of the real one describes them."""
    rows = []
    (folder / "scenes").mkdir(parents=True)
    (folder / "faces/images").mkdir(parents=True)
    with zipfile.ZipFile(folder / "scenes/scenes_00.zip", "w") as archive:
        for number in range(count):
            pixels, boxes, _ = picture(number, faces=number % 2)
            archive.writestr(f"{number}.jpg", jpeg(pixels))
            rows.append(
                {
                    "zip": "scenes_00.zip",
                    "file": f"{number}.jpg",
                    "kind": "face" if len(boxes) else "none",
                    "source": "drawn",
                    "boxes": boxes.tolist(),
                    "unsure": [],
                }
            )
    (folder / "scenes/index.json").write_text(json.dumps(rows))
    pixels, boxes, _ = picture(99, faces=2)
    (folder / "faces/images/99.jpg").write_bytes(jpeg(pixels))
    row = {
        "file": "images/99.jpg",
        "source": "dlib",
        "truth": "human",
        "boxes": boxes.tolist(),
        "tags": ["face", "ignore"],
    }
    (folder / "faces/annotations.json").write_text(json.dumps([row]))
    return folder
