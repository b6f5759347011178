"""Frames as a webcam would send them: JPEG with no, one or several real faces, slowly moving.

The face is a part of NASA's portrait of Eileen Collins, which is in the public domain.
"""

import re
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

WIDTH, HEIGHT, QUALITY = 640, 480, 75
POSITIONS = 24
"""Different frames of one kind, after which the faces are back where they began."""

PER_SECOND = 30
"""Frames of a clip for each second of what it shows. A camera that takes more frames sees no
faster world, so clients at another pace skip or repeat some."""

_PORTRAIT_PART = (slice(20, 260), slice(120, 360))


@dataclass(frozen=True, slots=True)
class Frame:
    """One JPEG file and the number of faces that it shows."""

    image: bytes
    faces: int


def draw(
    faces: int, position: int, width: int = WIDTH, height: int = HEIGHT, quality: int = QUALITY
) -> Frame:
    """A frame of ``width`` x ``height`` pixels that shows ``faces`` faces.

    The faces stand in a grid that fills the picture; one alone is as large as that of somebody
    in front of a laptop. ``position`` (0 to ``POSITIONS`` - 1) is where they are on their way.
    """
    rows, columns = np.mgrid[0:height, 0:width]
    background = 90 + 60 * rows // height + 40 * columns // width
    picture = np.repeat(background[:, :, None], 3, axis=2).astype(np.uint8)
    _add_texture(picture)
    if faces:
        across = int(np.ceil(np.sqrt(faces * width / height)))
        down = -(-faces // across)
        side = int(min(width / across, height / down) * (0.6 if faces == 1 else 0.92))
        part = _portrait(side)
        swing = 0.5 - 0.5 * np.cos(2 * np.pi * position / POSITIONS)
        for k in range(faces):
            cell_x, cell_y = k % across * width // across, k // across * height // down
            x = cell_x + int(swing * (width // across - side))
            y = cell_y + (height // down - side) // 2
            picture[y : y + side, x : x + side] = part
    else:
        x = position * width // (2 * POSITIONS)
        cv2.rectangle(picture, (x, height // 4), (x + width // 3, height // 2), (60, 120, 60), -1)
    done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return Frame(encoded.tobytes(), faces)


def clip(faces: int, width: int = WIDTH, height: int = HEIGHT) -> list[Frame]:
    """``POSITIONS`` frames that show ``faces`` faces."""
    return [draw(faces, position, width, height) for position in range(POSITIONS)]


def mixed_clip() -> list[Frame]:
    """One, three and no faces in turn, each for ``POSITIONS`` frames, so that faces are followed
    as in real clips and any ``3 * POSITIONS`` frames in a row cost the same."""
    return [frame for faces in (1, 3, 0) for frame in clip(faces)]


def named_clip(name: str) -> list[Frame]:
    """The clip that a name describes: ``mixed``, or faces and size such as ``3@640x480``.

    Raises:
        ValueError: no clip is called so.
    """
    if name == "mixed":
        return mixed_clip()
    match = re.fullmatch(r"(\d+)@(\d+)x(\d+)", name)
    if match is None:
        raise ValueError(f"no clip is called {name!r}; expected mixed or e.g. 3@640x480")
    return clip(*map(int, match.groups()))


def _portrait(side: int) -> npt.NDArray[np.uint8]:
    portrait = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    part = cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR)[_PORTRAIT_PART]
    shrinks = side < part.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (side, side), interpolation=interpolation), np.uint8)


def _add_texture(picture: npt.NDArray[np.uint8]) -> None:
    """Adds the noise of a webcam, without which files would be unusually small."""
    noise = np.random.default_rng(7).normal(0, 4, picture.shape[:2])
    picture[:] = np.clip(picture + noise[:, :, None], 0, 255).astype(np.uint8)
