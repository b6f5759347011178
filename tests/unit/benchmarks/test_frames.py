import cv2
import numpy as np
import pytest
from emotion_detector.detector import FaceDetector
from emotion_detector.network import Network
from emotion_detector.picture import Limits
from emotion_detector.settings import PACKAGED_MODEL

from benchmarks.frames import POSITIONS, draw, mixed_clip, named_clip


@pytest.mark.parametrize("faces", [0, 1, 3])
def test_frames_show_as_many_faces_as_they_say(faces: int) -> None:
    detector = FaceDetector(Network(PACKAGED_MODEL, 320), Limits())
    for position in (0, POSITIONS // 2):
        frame = draw(faces, position)
        assert frame.faces == faces
        assert len(detector.analyse(frame.image, 0.5, 20).faces) == faces


def test_frames_are_jpegs_of_the_asked_size_and_of_a_webcams_weight() -> None:
    for width, height in ((640, 480), (160, 120), (1920, 1080)):
        image = draw(1, 0, width, height).image
        assert image[:2] == b"\xff\xd8"
        decoded = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape == (height, width, 3)
    assert 15_000 < len(draw(1, 0).image) < 60_000


def test_the_mixed_clip_has_as_many_frames_of_each_kind() -> None:
    counts = [frame.faces for frame in mixed_clip()]
    assert [counts.count(faces) for faces in (0, 1, 3)] == [POSITIONS] * 3


def test_clips_are_found_by_name() -> None:
    assert [frame.faces for frame in named_clip("2@320x240")] == [2] * POSITIONS
    with pytest.raises(ValueError, match="expected mixed"):
        named_clip("many")
