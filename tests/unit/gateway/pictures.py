"""Pictures that say which faces are in them, and backends that believe it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from emotion.detector.v1 import detector_pb2
from emotion.v1 import emotion_pb2
from emotion_gateway.analysis import Analysis
from emotion_gateway.backends import CHIP_BYTES

Box = tuple[float, float, float, float]


def picture(seed: int) -> bytes:
    """A picture with one face whose place and scores follow from ``seed`` alone."""
    return b"picture %d" % seed


def crowd(faces: int) -> bytes:
    """A picture with so many faces."""
    return b"crowd %d" % faces


def box_of(seed: int) -> Box:
    """Where the face of ``picture(seed)`` is."""
    return (seed % 97 / 128, seed % 89 / 128, 0.125, 0.125)


def shade_of(seed: int) -> int:
    """The gray of the chip of ``picture(seed)``."""
    return seed % 251


def score_of(shade: int) -> float:
    """The score of neutral of a chip of one gray."""
    return shade / 256


def detected(*boxes: Box, shades: Sequence[int] = ()) -> detector_pb2.DetectedFaces:
    """What the detector says of a picture with these faces."""
    chips = [bytes([shade]) * CHIP_BYTES for shade in shades or [0] * len(boxes)]
    return detector_pb2.DetectedFaces(
        image_width=640,
        image_height=480,
        chips=b"".join(chips),
        faces=[
            detector_pb2.DetectedFace(
                x=x, y=y, width=w, height=h, score=0.9, landmarks=[x, y, x + w, y] * 2 + [x, y + h]
            )
            for x, y, w, h in boxes
        ],
    )


def scores(*shades: int) -> npt.NDArray[np.float32]:
    """Scores of chips of one gray each: [faces, 8], each row summing to 1."""
    rows = [[score_of(s)] + [(1 - score_of(s)) / 7] * 7 for s in shades]
    return np.array(rows, np.float32).reshape(-1, 8)


def analysis(*boxes: Box, classified: bool = True) -> Analysis:
    """An analysis of a picture with these faces."""
    rows = scores(*[128] * len(boxes)) if classified else None
    return Analysis(detected(*boxes), rows, decode_us=1, detect_us=2, classify_us=3)


def answer(image: detector_pb2.Image) -> detector_pb2.Detection:
    """The truthful detection of a ``picture`` or a ``crowd``; any other bytes are corrupt."""
    word, _, seed = image.data.partition(b" ")
    if word == b"crowd":
        return detector_pb2.Detection(
            faces=detected(*[(i / 128, 0.5, 0.0625, 0.0625) for i in range(int(seed))])
        )
    if word != b"picture":
        error = detector_pb2.ImageError(
            code=detector_pb2.IMAGE_ERROR_CODE_CORRUPT, message="the file is damaged"
        )
        return detector_pb2.Detection(error=error)
    number = int(seed)
    return detector_pb2.Detection(
        faces=detected(box_of(number), shades=[shade_of(number)]), decode_us=1, detect_us=2
    )


def request(
    frame_id: int | None = None,
    image: bytes = b"",
    capture_time_us: int = 0,
    options: emotion_pb2.RecognizeOptions | None = None,
) -> bytes:
    """A serialized ``StreamRecognizeRequest``; without a frame if ``frame_id`` is None."""
    frame = None
    if frame_id is not None:
        frame = emotion_pb2.Frame(frame_id=frame_id, image=image, capture_time_us=capture_time_us)
    return emotion_pb2.StreamRecognizeRequest(options=options, frame=frame).SerializeToString()
