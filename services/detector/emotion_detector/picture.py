"""A picture file as upright pixels, within limits."""

import threading
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from emotion_detector.header import CorruptFileError, Header, UnknownFormatError, read_header

_MOST_LUMA = 1280  # pixels on the longer side: more are not decoded for chips if a half has them
_REDUCTIONS = (8, 4, 2, 1)  # that a JPEG can be decoded to without decoding all of it

# PNG and WebP are decoded whole, which takes up to 8 bytes a pixel meanwhile. Those with more
# pixels than this are decoded one at a time, so memory is bounded whatever the number of threads.
_LARGE = 4_000_000
_decodes_large = threading.Lock()


class Fault(Enum):
    """Why a picture is refused."""

    EMPTY = "empty"
    TOO_MANY_BYTES = "too many bytes"
    TOO_MANY_PIXELS = "too many pixels"
    UNSUPPORTED_FORMAT = "unsupported format"
    CORRUPT = "corrupt"


class PictureError(ValueError):
    """A picture that is refused; the message says what was given and what is expected."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest picture that is decoded."""

    max_bytes: int = 4 * 1024 * 1024
    max_pixels: int = 40_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    ``pixels`` is uint8 [height, width, 3], BGR, upright, perhaps smaller than the file's picture;
    ``width`` and ``height`` are the full size in pixels as shown, orientation applied.
    """

    pixels: npt.NDArray[np.uint8]
    width: int
    height: int
    _data: bytes
    _header: Header

    def luma(self, scale: float) -> npt.NDArray[np.uint8]:
        """uint8 [height, width], upright: ``scale`` times as large as ``pixels`` or larger, but
        no larger than the file's picture.

        Where ``pixels`` are too few, a JPEG is decoded again, so this costs as much as ``decode``.
        """
        stored = max(self._header.width, self._header.height)
        wanted = min(scale * max(self.pixels.shape[:2]), _MOST_LUMA, stored)
        if self._header.format != "JPEG" or wanted <= max(self.pixels.shape[:2]):
            return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_BGR2GRAY), np.uint8)
        gray = _decode_jpeg(self._data, self._header, "GRAY", wanted)
        return _upright(gray[:, :, 0], self._header.orientation)


def decode(data: bytes, limits: Limits, longer_side: int) -> Picture:
    """Decodes a JPEG, PNG or WebP file; of an animation the first frame.

    JPEGs are decoded to a half, a quarter or an eighth as long as ``longer_side`` pixels stay on
    the longer side: reading fewer pixels costs less.

    Raises:
        PictureError: the file is empty, over a limit, of another format, or damaged. The limits
            are checked by the file's header, before anything is decoded.
    """
    header = _checked_header(data, limits)
    stored = (
        _decode_jpeg(data, header, "BGR", longer_side)
        if header.format == "JPEG"
        else _decode_other(data, header)
    )
    swapped = header.orientation >= 5
    return Picture(
        _upright(stored, header.orientation),
        width=header.height if swapped else header.width,
        height=header.width if swapped else header.height,
        _data=data,
        _header=header,
    )


def _checked_header(data: bytes, limits: Limits) -> Header:
    if not data:
        raise PictureError(Fault.EMPTY, "image has no bytes; send a JPEG, PNG or WebP file")
    if len(data) > limits.max_bytes:
        raise PictureError(
            Fault.TOO_MANY_BYTES,
            f"image has {len(data):,} bytes; at most {limits.max_bytes:,} are taken: "
            "send a smaller or more strongly compressed picture",
        )
    try:
        header = read_header(data)
    except UnknownFormatError as error:
        raise PictureError(
            Fault.UNSUPPORTED_FORMAT,
            f"image starts with bytes {data[:8].hex(' ')}, of no format that is taken: "
            "send a JPEG, PNG or WebP file",
        ) from error
    except CorruptFileError as error:
        raise PictureError(Fault.CORRUPT, f"image is damaged or cut short: {error}") from error
    pixels = header.width * header.height
    if pixels > limits.max_pixels:
        raise PictureError(
            Fault.TOO_MANY_PIXELS,
            f"image has {pixels:,} pixels ({header.width}x{header.height}); "
            f"at most {limits.max_pixels:,} are taken: send a smaller picture",
        )
    return header


def _decode_jpeg(
    data: bytes, header: Header, colorspace: Literal["BGR", "GRAY"], longer_side: float
) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, 3 or 1], as small as leaves ``longer_side`` pixels, if it has them."""
    stored = max(header.width, header.height)
    factor = next(f for f in _REDUCTIONS if f == 1 or stored >= f * longer_side)
    width, height = -(-header.width // factor), -(-header.height // factor)
    try:
        decoded: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, colorspace=colorspace, min_width=width, min_height=height, strict=True
        )
    except ValueError as error:
        raise PictureError(Fault.CORRUPT, f"JPEG is damaged or cut short: {error}") from error
    if decoded.shape[:2] != (height, width):
        raise PictureError(Fault.CORRUPT, "JPEG has another size than its header says")
    return decoded


def _decode_other(data: bytes, header: Header) -> npt.NDArray[np.uint8]:
    """uint8 [height, width, 3], by a whole factor smaller where that leaves ``_MOST_LUMA``."""
    factor = max(1, max(header.width, header.height) // _MOST_LUMA)
    size = (-(-header.width // factor), -(-header.height // factor))
    with _decodes_large if header.width * header.height > _LARGE else nullcontext():
        pixels = _decode_whole(data, header)
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _decode_whole(data: bytes, header: Header) -> npt.NDArray[np.uint8]:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise PictureError(Fault.CORRUPT, f"{header.format} is damaged") from error
    if pixels is None:
        raise PictureError(Fault.CORRUPT, f"{header.format} is damaged: its pixels do not decode")
    if pixels.shape[:2] != (header.height, header.width):
        raise PictureError(Fault.CORRUPT, f"{header.format} has another size than its header says")
    return np.asarray(pixels, np.uint8)


def _upright(stored: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Applies EXIF orientation 1 to 8 (EXIF 2.32, tag 0x0112)."""
    match orientation:
        case 2:
            turned = cv2.flip(stored, 1)
        case 3:
            turned = cv2.rotate(stored, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(stored, 0)
        case 5:
            turned = cv2.transpose(stored)
        case 6:
            turned = cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.flip(cv2.transpose(stored), -1)
        case 8:
            turned = cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return stored
    return np.asarray(turned, np.uint8)
