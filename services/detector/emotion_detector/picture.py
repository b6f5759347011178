"""A picture file as upright luma, within limits."""

from dataclasses import dataclass
from enum import Enum

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from emotion_detector.header import CorruptFileError, Header, UnknownFormatError, read_header

# JPEGs are decoded to a half, a quarter or an eighth as long as this many pixels stay on the
# longer side: enough for a 48x48 chip of any face that the network finds at 320.
_ENOUGH_PIXELS = 1280


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

    ``luma`` is uint8 [height, width], upright, perhaps smaller than the file's picture;
    ``width`` and ``height`` are the full size in pixels as shown, orientation applied.
    """

    luma: npt.NDArray[np.uint8]
    width: int
    height: int


def decode(data: bytes, limits: Limits) -> Picture:
    """Decodes a JPEG, PNG or WebP file; of an animation the first frame.

    Raises:
        PictureError: the file is empty, over a limit, of another format, or damaged. The limits
            are checked by the file's header, before anything is decoded.
    """
    header = _checked_header(data, limits)
    stored = _decode_jpeg(data, header) if header.format == "JPEG" else _decode_other(data, header)
    luma = _upright(stored, header.orientation)
    swapped = header.orientation >= 5
    return Picture(
        luma,
        width=header.height if swapped else header.width,
        height=header.width if swapped else header.height,
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


def _decode_jpeg(data: bytes, header: Header) -> npt.NDArray[np.uint8]:
    factor = 1
    while factor < 8 and max(header.width, header.height) >= 2 * factor * _ENOUGH_PIXELS:
        factor *= 2
    width, height = -(-header.width // factor), -(-header.height // factor)
    try:
        decoded = simplejpeg.decode_jpeg(
            data, colorspace="GRAY", min_width=width, min_height=height, strict=True
        )
    except ValueError as error:
        raise PictureError(Fault.CORRUPT, f"JPEG is damaged or cut short: {error}") from error
    luma: npt.NDArray[np.uint8] = decoded[:, :, 0]
    if luma.shape != (height, width):
        raise PictureError(Fault.CORRUPT, "JPEG has another size than its header says")
    return luma


def _decode_other(data: bytes, header: Header) -> npt.NDArray[np.uint8]:
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        luma = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise PictureError(Fault.CORRUPT, f"{header.format} is damaged") from error
    if luma is None:
        raise PictureError(Fault.CORRUPT, f"{header.format} is damaged: its pixels do not decode")
    if luma.shape != (header.height, header.width):
        raise PictureError(Fault.CORRUPT, f"{header.format} has another size than its header says")
    return np.asarray(luma, np.uint8)


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
