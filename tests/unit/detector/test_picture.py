"""A picture file becomes upright pixels, or is refused with a reason."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
from emotion_detector import picture
from emotion_detector.picture import Fault, Limits, PictureError, decode
from PIL import Image
from unit.detector import pictures

LIMITS = Limits()
SIDE = 320  # of what is asked for


def flavours() -> dict[str, bytes]:
    image = pictures.astronaut()
    picture = Image.fromarray(image)
    other = picture.rotate(90)
    gray16 = pictures.luma(image).astype(np.uint16) * 257
    rgba = np.dstack([image, np.full(image.shape[:2], 128, np.uint8)])
    animated: dict[str, Any] = {"save_all": True, "append_images": [other]}
    return {
        "JPEG": pictures.file(picture),
        "JPEG 4:4:4": pictures.file(picture, subsampling=0),
        "JPEG progressive": pictures.file(picture, progressive=True),
        "JPEG gray": pictures.file(picture.convert("L")),
        "JPEG CMYK": pictures.file(picture.convert("CMYK")),
        "PNG": pictures.file(picture, "PNG"),
        "PNG 16 bit gray": cv2.imencode(".png", gray16)[1].tobytes(),
        "PNG alpha": pictures.file(Image.fromarray(rgba), "PNG"),
        "PNG gray alpha": pictures.file(picture.convert("LA"), "PNG"),
        "PNG palette": pictures.file(picture.quantize(64), "PNG"),
        "PNG animated": pictures.file(picture, "PNG", **animated),
        "WebP": pictures.file(picture, "WebP"),
        "WebP lossless": pictures.file(picture, "WebP", lossless=True),
        "WebP alpha": pictures.file(Image.fromarray(rgba), "WebP"),
        "WebP animated": pictures.file(picture, "WebP", **animated),
    }


FLAVOURS = flavours()


@pytest.mark.parametrize("name", FLAVOURS)
def test_every_flavour_decodes_to_its_first_picture(name: str) -> None:
    found = decode(FLAVOURS[name], LIMITS, SIDE)
    shown = pictures.astronaut()
    gray = pictures.luma(shown)
    assert (found.width, found.height) == (512, 384)
    assert found.pixels.dtype == found.luma(1).dtype == np.uint8
    assert found.pixels.shape == (384, 512, 3)
    expected = np.dstack([gray] * 3) if "gray" in name else pictures.bgr(shown)
    assert np.abs(found.pixels.astype(int) - expected).mean() < 8
    assert found.luma(1).shape == (384, 512)
    assert np.abs(found.luma(1).astype(int) - gray).mean() < 8


@pytest.mark.parametrize("name", FLAVOURS)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.97])
def test_a_file_that_was_cut_short_is_refused(name: str, part: float) -> None:
    data = FLAVOURS[name]
    with pytest.raises(PictureError) as caught:
        decode(data[: int(len(data) * part)], LIMITS, SIDE)
    assert caught.value.fault is Fault.CORRUPT


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    shown = pictures.astronaut()[:300, 100:340]
    data = pictures.file(
        pictures.stored_for(shown, orientation), kind, exif=pictures.exif(orientation)
    )
    found = decode(data, LIMITS, SIDE)
    assert (found.width, found.height) == (240, 300)
    assert np.abs(found.pixels.astype(int) - pictures.bgr(shown)).mean() < 8
    assert np.abs(found.luma(1).astype(int) - pictures.luma(shown)).mean() < 8


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((2561, 1921), (241, 321, 3)),
        ((640, 480), (240, 320, 3)),
        ((639, 480), (480, 639, 3)),
        ((480, 640), (320, 240, 3)),
        ((200, 150), (150, 200, 3)),
    ],
)
def test_a_jpeg_is_decoded_as_small_as_is_asked_for_but_states_its_full_size(
    size: tuple[int, int], shape: tuple[int, int, int]
) -> None:
    found = decode(pictures.file(cv2.resize(pictures.astronaut(), size)), LIMITS, SIDE)
    assert (found.width, found.height) == size
    assert found.pixels.shape == shape


@pytest.mark.parametrize("kind", ["PNG", "WebP"])
def test_other_files_are_made_smaller_once_they_are_decoded(kind: str) -> None:
    shown = cv2.resize(pictures.astronaut(), (2561, 1921))
    found = decode(pictures.file(shown, kind), LIMITS, SIDE)
    assert (found.width, found.height) == (2561, 1921)
    assert found.pixels.shape == (961, 1281, 3)
    assert found.luma(1e9).shape == (961, 1281)
    smaller = cv2.resize(pictures.bgr(shown), (1281, 961), interpolation=cv2.INTER_AREA)
    assert np.abs(found.pixels.astype(int) - smaller).mean() < 8


def test_large_files_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a few files of some kilobytes could take all memory."""
    data = pictures.file(np.zeros((2001, 2001, 3), np.uint8), "PNG")
    now, most = 0, 0
    whole = picture._decode_whole

    def counted(*arguments: Any) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        time.sleep(0.02)
        try:
            return whole(*arguments)
        finally:
            now -= 1

    monkeypatch.setattr(picture, "_decode_whole", counted)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: decode(data, LIMITS, SIDE), range(8)):
            assert found.width == 2001
    assert most == 1


@pytest.mark.parametrize(
    ("scale", "shape"),
    [
        (0.5, (241, 321)),
        (1, (241, 321)),
        (1.01, (481, 641)),
        (2.01, (961, 1281)),
        (4.01, (961, 1281)),
        (1e9, (961, 1281)),
    ],
)
def test_luma_has_the_pixels_that_are_asked_for_up_to_a_bound(
    scale: float, shape: tuple[int, int]
) -> None:
    shown = cv2.resize(pictures.astronaut(), (2561, 1921))
    luma = decode(pictures.file(shown), LIMITS, SIDE).luma(scale)
    assert luma.shape == shape
    expected = cv2.resize(pictures.luma(shown), shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(luma.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_luma_that_is_decoded_again_is_upright(orientation: int) -> None:
    shown = cv2.resize(pictures.astronaut(), (800, 640))
    exif = pictures.exif(orientation)
    data = pictures.file(pictures.stored_for(shown, orientation), exif=exif)
    luma = decode(data, LIMITS, SIDE).luma(2)
    assert luma.shape == (640, 800)
    assert np.abs(luma.astype(int) - pictures.luma(shown)).mean() < 8


@pytest.mark.parametrize(
    ("data", "limits", "fault", "message"),
    [
        (b"", LIMITS, Fault.EMPTY, "no bytes"),
        (b"\xff\xd8\xff" * 1000, Limits(max_bytes=2999), Fault.TOO_MANY_BYTES, "3,000 bytes"),
        (b"no picture", LIMITS, Fault.UNSUPPORTED_FORMAT, "send a JPEG, PNG or WebP"),
        (
            pictures.png_stating(12_000, 10_000),
            LIMITS,
            Fault.TOO_MANY_PIXELS,
            r"120,000,000 pixels \(12000x10000\); at most 40,000,000",
        ),
        (
            pictures.jpeg_stating(pictures.file(Image.new("RGB", (8, 8))), 65_000, 65_000),
            LIMITS,
            Fault.TOO_MANY_PIXELS,
            "65000x65000",
        ),
        (pictures.webp_stating(16_000, 16_000), LIMITS, Fault.TOO_MANY_PIXELS, "16000x16000"),
        (pictures.png_stating(100, 100), LIMITS, Fault.CORRUPT, "damaged"),
        (pictures.webp_stating(100, 100), LIMITS, Fault.CORRUPT, "damaged"),
        (
            pictures.jpeg_stating(pictures.file(Image.new("RGB", (64, 64))), 64, 128),
            LIMITS,
            Fault.CORRUPT,
            "damaged",
        ),
    ],
    ids=[
        "empty",
        "bytes",
        "format",
        "PNG pixels",
        "JPEG pixels",
        "WebP pixels",
        "PNG short of pixels",
        "WebP short of pixels",
        "JPEG short of pixels",
    ],
)
def test_what_can_not_be_decoded_is_refused_with_a_reason(
    data: bytes, limits: Limits, fault: Fault, message: str
) -> None:
    with pytest.raises(PictureError, match=message) as caught:
        decode(data, limits, SIDE)
    assert caught.value.fault is fault


def test_limits_are_inclusive() -> None:
    data = pictures.file(pictures.astronaut())
    assert decode(data, Limits(max_bytes=len(data), max_pixels=512 * 384), SIDE).width == 512
    with pytest.raises(PictureError):
        decode(data, Limits(max_bytes=len(data), max_pixels=512 * 384 - 1), SIDE)
