"""Clips for a fake camera in which the face's place in every frame is known.

Each frame carries its clip's and its own number as black and white cells along its lower edge,
so that whoever gets a frame, however late and recompressed, can tell where its face is.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data

WIDTH, HEIGHT, FRAMES, FRAMES_PER_SECOND = 640, 480, 90, 30
Box = tuple[float, float, float, float]

_CELL = 24
_CELLS_LEFT, _CELLS_TOP = 16, HEIGHT - _CELL - 8
_BITS = 12  # white, black, 3 for the clip, 7 for the frame

# A part of a public-domain portrait, and where its face is in it: x, y, width, height from
# hairline to chin and cheek to cheek, marked by hand.
_PORTRAIT_PART = (slice(20, 260), slice(120, 360))
_FACE_IN_PART = (60, 55, 92, 103)


@dataclass(frozen=True)
class Clip:
    """What a fake camera shows; ``left`` and ``right`` bound the path of the portrait's part."""

    number: int
    left: int | None = None
    right: int | None = None

    def part_x(self, frame: int) -> int:
        """Where the portrait's part is in a frame: it swings to and fro once a clip."""
        assert self.left is not None
        assert self.right is not None
        swing = 0.5 - 0.5 * np.cos(2 * np.pi * frame / FRAMES)
        return round(self.left + swing * (self.right - self.left))

    def face(self, frame: int) -> Box | None:
        """The face's box in pixels, or None in a clip without one."""
        if self.left is None:
            return None
        x, y, width, height = _FACE_IN_PART
        return (self.part_x(frame) + x, 100 + y, width, height)

    def draw(self, frame: int) -> npt.NDArray[np.uint8]:
        """One frame: uint8 [480, 640, 3], BGR."""
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
        background = 90 + rows // 8 + columns // 16
        picture = np.repeat(background[:, :, None], 3, axis=2).astype(np.uint8)
        if self.left is None:
            cv2.rectangle(picture, (100 + frame, 120), (300 + frame, 330), (60, 120, 60), -1)
        else:
            part = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)[_PORTRAIT_PART]
            x = self.part_x(frame)
            picture[100 : 100 + part.shape[0], x : x + part.shape[1]] = part
        bits = [1, 0, *_bits(self.number, 3), *_bits(frame, 7)]
        for i, bit in enumerate(bits):
            left = _CELLS_LEFT + i * _CELL
            picture[_CELLS_TOP : _CELLS_TOP + _CELL, left : left + _CELL] = 255 * bit
        return picture

    def write_y4m(self, path: Path) -> Path:
        """Writes the clip in the format that Chromium's fake camera plays in a loop."""
        with path.open("wb") as file:
            file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_PER_SECOND}:1 Ip C420\n".encode())
            for frame in range(FRAMES):
                file.write(b"FRAME\n")
                file.write(cv2.cvtColor(self.draw(frame), cv2.COLOR_BGR2YUV_I420).tobytes())
        return path

    def jpeg(self, frame: int) -> bytes:
        """One frame as a JPEG file."""
        return cv2.imencode(".jpg", self.draw(frame), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


LEFT = Clip(1, left=10, right=110)
RIGHT = Clip(2, left=280, right=390)
NOBODY = Clip(3)
CLIPS = {clip.number: clip for clip in (LEFT, RIGHT, NOBODY)}


def read_numbers(picture: npt.NDArray[np.uint8]) -> tuple[Clip, int]:
    """Which clip and frame a gray picture [480, 640] shows.

    Raises:
        ValueError: it shows none of them.
    """
    middle = _CELLS_TOP + _CELL // 2
    bits = []
    for i in range(_BITS):
        x = _CELLS_LEFT + i * _CELL + _CELL // 2
        bits.append(int(picture[middle - 4 : middle + 4, x - 4 : x + 4].mean() > 128))
    if bits[:2] != [1, 0]:
        raise ValueError(f"no number in the picture: {bits}")
    return CLIPS[_number(bits[2:5])], _number(bits[5:])


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def _bits(number: int, count: int) -> list[int]:
    return [(number >> i) & 1 for i in range(count)]


def _number(bits: list[int]) -> int:
    return sum(bit << i for i, bit in enumerate(bits))
