"""Size and orientation of a picture file, read from its bytes without decoding it.

The structure of the file is checked as far as that is cheap, so that a file that was cut short
is refused before a decoder sees it: OpenCV takes some of them for whole.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Format = Literal["JPEG", "PNG", "WebP"]

_MAX_JPEG_SCANS = 64  # encoders write about 10; each costs a pass over all pixels
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EXIF_PREFIX = b"Exif\0\0"
_ORIENTATION_TAG = 0x0112


class UnknownFormatError(ValueError):
    """The bytes are not of a JPEG, PNG or WebP file."""


class CorruptFileError(ValueError):
    """The file is damaged or cut short."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about its picture.

    ``width`` and ``height`` are those of the stored pixels; ``orientation`` is EXIF's: 1 upright,
    2 to 8 mirrored or turned, where 5 to 8 swap width and height when shown.
    """

    format: Format
    width: int
    height: int
    orientation: int = 1


def read_header(data: bytes) -> Header:
    """Reads the header of a JPEG, PNG or WebP file.

    Raises:
        UnknownFormatError: the file is of another format.
        CorruptFileError: it is damaged, cut short, or says that it has no pixels.
    """
    if data.startswith(b"\xff\xd8\xff"):
        header = _read_jpeg(data)
    elif data.startswith(_PNG_SIGNATURE):
        header = _read_png(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        header = _read_webp(data)
    else:
        raise UnknownFormatError("not a JPEG, PNG or WebP file")
    if header.width == 0 or header.height == 0:
        raise CorruptFileError(
            f"{header.format} header says {header.width}x{header.height} pixels; "
            "at least 1x1 is expected"
        )
    return header


def _read_jpeg(data: bytes) -> Header:
    """Walks the segments up to the frame header (ITU-T T.81, annex B)."""
    orientation = 1
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise CorruptFileError(f"JPEG has no marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a segment
            position += 2
            continue
        if marker in (0xD9, 0xDA):
            raise CorruptFileError("JPEG has no frame header before its pixels")
        (length,) = struct.unpack_from(">H", data, position + 2)
        segment = data[position + 4 : position + 2 + length]
        if length < 2 or len(segment) != length - 2:
            break
        if marker == 0xE1 and segment.startswith(_EXIF_PREFIX):
            orientation = exif_orientation(segment)
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if len(segment) < 6:
                raise CorruptFileError("JPEG frame header is too short")
            if data.count(b"\xff\xda") > _MAX_JPEG_SCANS:
                raise CorruptFileError(f"JPEG has more than {_MAX_JPEG_SCANS} scans")
            height, width = struct.unpack_from(">HH", segment, 1)
            return Header("JPEG", width, height, orientation)
        position += 2 + length
    raise CorruptFileError("JPEG is cut short before its frame header")


def _read_png(data: bytes) -> Header:
    """Walks all chunks to the last (W3C PNG, section 5), checking the sums of critical ones."""
    width = height = 0
    orientation = 1
    for index, (kind, start, end) in enumerate(_png_chunks(data)):
        if index == 0:
            if kind != b"IHDR" or end - start != 13:
                raise CorruptFileError("PNG does not start with a header chunk")
            width, height = struct.unpack_from(">II", data, start)
        elif kind == b"eXIf":
            orientation = exif_orientation(data[start:end])
    return Header("PNG", width, height, orientation)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of each chunk, up to IEND."""
    view = memoryview(data)
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, start = data[position + 4 : position + 8], position + 8
        end = start + length
        if end + 4 > len(data):
            break
        critical = not kind[0] & 0x20
        (expected,) = struct.unpack_from(">I", data, end)
        if critical and zlib.crc32(view[position + 4 : end]) != expected:
            raise CorruptFileError(f"PNG chunk {kind!r} is damaged: its checksum is wrong")
        yield kind, start, end
        if kind == b"IEND":
            return
        position = end + 4
    raise CorruptFileError("PNG is cut short: it has no end chunk")


def _read_webp(data: bytes) -> Header:
    """Walks the RIFF chunks (WebP container specification; RFC 9649)."""
    (riff_size,) = struct.unpack_from("<I", data, 4)
    file_end = 8 + riff_size
    if file_end > len(data):
        raise CorruptFileError(f"WebP is cut short: {len(data)} bytes of {file_end}")
    size: tuple[int, int] | None = None
    orientation = 1
    position = 12
    while position + 8 <= file_end:
        kind = data[position : position + 4]
        (length,) = struct.unpack_from("<I", data, position + 4)
        start = position + 8
        if start + length > file_end:
            raise CorruptFileError(f"WebP chunk {kind!r} reaches past the end of the file")
        if kind == b"EXIF":
            orientation = exif_orientation(data[start : start + length])
        elif size is None:
            size = _webp_size(kind, data[start : start + min(length, 10)])
        position = start + length + length % 2
    if size is None:
        raise CorruptFileError("WebP has no picture")
    return Header("WebP", *size, orientation)


def _webp_size(kind: bytes, content: bytes) -> tuple[int, int] | None:
    """Width and height from the first bytes of a chunk; None if it is not one that tells."""
    match kind:
        case b"VP8X" if len(content) == 10:
            return (
                1 + int.from_bytes(content[4:7], "little"),
                1 + int.from_bytes(content[7:10], "little"),
            )
        case b"VP8 " if len(content) == 10 and content[3:6] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", content, 6)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L" if len(content) >= 5 and content[0] == 0x2F:
            (packed,) = struct.unpack_from("<I", content, 1)
            return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
        case b"VP8X" | b"VP8 " | b"VP8L":
            raise CorruptFileError(f"WebP chunk {kind!r} is damaged")
        case _:
            return None


def exif_orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, that an EXIF block states in its first directory.

    A block that is damaged or states none counts as upright (1): viewers do the same.
    """
    tiff = exif.removeprefix(_EXIF_PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, directory)
        for index in range(entries):
            tag, kind, _, value = struct.unpack_from(
                order + "HHIH", tiff, directory + 2 + 12 * index
            )
            if tag == _ORIENTATION_TAG and kind == 3 and 1 <= value <= 8:
                return int(value)
    except struct.error:
        pass
    return 1
