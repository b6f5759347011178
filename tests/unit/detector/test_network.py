"""Pictures are laid on a canvas that fits the network; models of the right layout load."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from emotion_detector.detector import FaceDetector
from emotion_detector.network import OUTPUTS, STRIDES, ModelError, Network, letterbox
from emotion_detector.picture import Limits
from emotion_detector.settings import PACKAGED_MODEL
from hypothesis import given
from hypothesis import strategies as st
from unit.detector import onnx_file, pictures

YUNET = (
    Path(__file__).resolve().parents[4]
    / "shared/data/reference-models/face_detection_yunet_2023mar.onnx"
)

sizes = st.integers(1, 8000)


@given(width=sizes, height=sizes, longer_side=st.integers(32, 1024))
def test_a_canvas_is_a_multiple_of_32_that_just_holds_the_picture(
    width: int, height: int, longer_side: int
) -> None:
    canvas = letterbox(width, height, longer_side)
    for outer, inner, side in (
        (canvas.width, canvas.inner_width, width),
        (canvas.height, canvas.inner_height, height),
    ):
        assert outer % 32 == 0
        assert 1 <= inner <= outer < inner + 32
        assert inner <= min(side, longer_side)
    assert max(canvas.inner_width, canvas.inner_height) == min(longer_side, max(width, height))


@given(width=sizes, height=sizes, longer_side=st.integers(32, 1024))
def test_a_picture_keeps_its_shape_to_a_pixel(width: int, height: int, longer_side: int) -> None:
    canvas = letterbox(width, height, longer_side)
    scale = min(1, longer_side / max(width, height))
    assert canvas.inner_width == pytest.approx(max(1, width * scale), abs=0.5)
    assert canvas.inner_height == pytest.approx(max(1, height * scale), abs=0.5)


@given(width=sizes, height=sizes)
def test_a_fixed_canvas_holds_every_picture(width: int, height: int) -> None:
    canvas = letterbox(width, height, 640, fixed=(640, 480))
    assert (canvas.width, canvas.height) == (640, 480)
    assert 1 <= canvas.inner_width <= 640
    assert 1 <= canvas.inner_height <= 480


@pytest.mark.parametrize("size", [(501, 333), (250, 384)], ids=["space below", "space beside"])
def test_what_an_earlier_picture_left_on_the_canvas_changes_nothing(size: tuple[int, int]) -> None:
    network = Network(PACKAGED_MODEL, 320)
    width, height = size
    pixels = pictures.bgr(pictures.astronaut())[:height, :width]
    canvas = letterbox(width, height, 320)
    before = network.run(pixels, canvas)
    network.run(np.full((320, 320, 3), 255, np.uint8), letterbox(320, 320, 320))
    after = network.run(pixels, canvas)
    for one, other in zip(before, after, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_network_sees_blue_green_and_red_in_this_order() -> None:
    pixels = pictures.bgr(pictures.astronaut())[:256, :320]
    session = onnxruntime.InferenceSession(PACKAGED_MODEL, providers=["CPUExecutionProvider"])
    tensor = pixels.transpose(2, 0, 1)[None].astype(np.float32)
    names = [f"{kind}_{stride}" for stride in STRIDES for kind in OUTPUTS]
    expected = session.run(names, {"input": tensor})
    levels = Network(PACKAGED_MODEL, 320).run(pixels, letterbox(320, 256, 320))
    found = [value for level in levels for value in level]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other[0], atol=1e-4)
    swapped = session.run(names, {"input": tensor[:, ::-1]})
    assert np.abs(swapped[0] - expected[0]).max() > 1e-3


def test_a_model_of_fixed_size_finds_the_same_face(tmp_path: Path) -> None:
    path = tmp_path / "fixed.onnx"
    path.write_bytes(onnx_file.taking(PACKAGED_MODEL.read_bytes(), 3, height=320, width=320))
    pixels = pictures.bgr(pictures.astronaut())
    expected = FaceDetector(Network(PACKAGED_MODEL, 320), Limits()).find(pixels, 0.5)
    found = FaceDetector(Network(path, 640), Limits()).find(pixels, 0.5)
    assert len(expected) == 1
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=1)


def test_a_model_for_gray_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gray.onnx"
    gray = onnx_file.taking(PACKAGED_MODEL.read_bytes(), 1)
    path.write_bytes(gray)
    with pytest.raises(ModelError, match=r"\[N, 3, height, width\] is expected"):
        Network(path, 320)


def test_the_public_yunet_can_take_the_place_of_the_packaged_model() -> None:
    if not YUNET.exists():
        pytest.skip("needs the reference models; the copy of fixed size covers the layout")
    pixels = pictures.bgr(pictures.astronaut())
    faces = FaceDetector(Network(YUNET, 320), Limits()).find(pixels, 0.5)
    assert len(faces) == 1
    assert pictures.overlap(tuple(faces.boxes[0] / [512, 384, 512, 384]), pictures.FACE_BOX) > 0.5


def test_a_missing_model_is_named() -> None:
    with pytest.raises(ModelError, match=r"no-such\.onnx does not exist"):
        Network(Path("no-such.onnx"), 320)


def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes())
    with pytest.raises(ModelError, match="does not load") as caught:
        Network(path, 320)
    assert "\n" not in str(caught.value)


def test_a_model_without_the_outputs_of_yunet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(PACKAGED_MODEL.read_bytes().replace(b"cls_8", b"out_8"))
    with pytest.raises(ModelError, match="has no outputs cls_8"):
        Network(path, 320)
