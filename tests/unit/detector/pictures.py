"""Picture files for tests of the detector, made when they are asked for."""

import functools
import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image

RGB = npt.NDArray[np.uint8]

FACE_BOX = (0.35, 0.155, 0.18, 0.345)  # of the astronaut, by eye: left, top, width, height


@functools.cache
def astronaut() -> RGB:
    """The upper part of a portrait: one face, 512x384 RGB, public domain (NASA)."""
    return np.asarray(skimage.data.astronaut()[:384], np.uint8)


def bgr(image: RGB) -> npt.NDArray[np.uint8]:
    """An RGB picture as OpenCV has it."""
    return np.ascontiguousarray(image[:, :, ::-1])


def luma(image: RGB) -> npt.NDArray[np.uint8]:
    """Gray of an RGB picture."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def file(image: RGB | Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """The picture as a file of Pillow's format ``kind``."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def exif(orientation: int) -> bytes:
    """An EXIF block that states an orientation."""
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def stored_for(image: RGB, orientation: int) -> RGB:
    """The pixels that a camera stores so that viewers show ``image`` at this orientation."""
    turn = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    return np.ascontiguousarray(turn(image))


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png_stating(width: int, height: int) -> bytes:
    """A sound but tiny PNG file whose header states a size that its pixels do not fill."""
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + png_chunk(b"IEND", b"")
    )


def jpeg_stating(data: bytes, width: int, height: int) -> bytes:
    """The baseline JPEG file ``data`` with another size in its header."""
    at = data.index(b"\xff\xc0")
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def webp_stating(width: int, height: int) -> bytes:
    """A tiny WebP file that states a size up to 16,383 pixels a side."""
    frame = b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\0" * 10
    chunk = b"VP8 " + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes (left, top, width, height)."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
