"""The header of a picture file tells its size and orientation, and whether it is whole."""

import struct

import numpy as np
import pytest
from emotion_detector.header import (
    CorruptFileError,
    Header,
    UnknownFormatError,
    exif_orientation,
    read_header,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from unit.detector import pictures

KINDS = ["JPEG", "PNG", "WebP"]
STARTS = [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP"]


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    orientation=st.integers(1, 8),
)
def test_size_and_orientation_are_those_of_the_file(
    kind: str, width: int, height: int, orientation: int
) -> None:
    data = pictures.file(Image.new("RGB", (width, height)), kind, exif=pictures.exif(orientation))
    assert read_header(data) == Header(kind, width, height, orientation)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True}),
        ("WebP", {"lossless": True}),
        ("WebP", {"save_all": True, "append_images": [Image.new("RGB", (37, 23), "red")]}),
        ("PNG", {"save_all": True, "append_images": [Image.new("RGB", (37, 23), "red")]}),
    ],
    ids=["progressive", "lossless", "animated WebP", "animated PNG"],
)
def test_every_flavour_of_a_format_is_read(kind: str, options: dict[str, object]) -> None:
    data = pictures.file(Image.new("RGB", (37, 23)), kind, **options)
    assert read_header(data) == Header(kind, 37, 23)


@settings(max_examples=300, deadline=None)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=200))
def test_any_bytes_give_a_header_or_one_of_two_errors(start: bytes, rest: bytes) -> None:
    try:
        header = read_header(start + rest)
    except (CorruptFileError, UnknownFormatError):
        return
    assert header.width > 0
    assert header.height > 0


@pytest.mark.parametrize("kind", ["PNG", "WebP"])
def test_no_beginning_of_a_file_passes_for_the_whole(kind: str) -> None:
    data = pictures.file(Image.effect_noise((20, 10), 50).convert("RGB"), kind)
    for length in range(12, len(data)):
        with pytest.raises(CorruptFileError):
            read_header(data[:length])


def test_png_with_a_changed_byte_is_refused() -> None:
    data = bytearray(pictures.file(pictures.astronaut()[:40, :40], "PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(CorruptFileError, match="checksum"):
        read_header(bytes(data))


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_a_picture_without_pixels_is_refused(size: tuple[int, int]) -> None:
    jpeg = pictures.file(Image.new("RGB", (8, 8)))
    for data in (
        pictures.png_stating(*size),
        pictures.jpeg_stating(jpeg, *size),
        pictures.webp_stating(*size),
    ):
        with pytest.raises(CorruptFileError, match="at least 1x1"):
            read_header(data)


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    jpeg = pictures.file(pictures.astronaut()[:64, :64], progressive=True)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    assert read_header(jpeg).width == 64
    with pytest.raises(CorruptFileError, match="scans"):
        read_header(jpeg[:-2] + scan * 100 + jpeg[-2:])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"", b"Exif\0\0", b"II*\0", b"MM\0*"]), st.binary(max_size=60))
def test_a_damaged_exif_block_still_gives_an_orientation(start: bytes, rest: bytes) -> None:
    assert 1 <= exif_orientation(start + rest) <= 8


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_out_of_range_counts_as_upright(value: int) -> None:
    block = b"II*\0" + struct.pack("<IHHHIHH", 8, 1, 0x0112, 3, 1, value, 0)
    assert exif_orientation(block) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_of_exif_are_read(order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    block = mark + struct.pack(order + "IHHHIHH", 8, 1, 0x0112, 3, 1, 6, 0)
    assert exif_orientation(block) == 6
    assert exif_orientation(b"Exif\0\0" + block) == 6


def test_other_formats_are_named_as_such() -> None:
    for data in (
        b"GIF89a" + b"\0" * 20,
        pictures.file(np.zeros((4, 4, 3), np.uint8), "BMP"),
        b"<svg/>",
        b"\0",
    ):
        with pytest.raises(UnknownFormatError):
            read_header(data)
