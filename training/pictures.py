"""What both trainings and evaluations do to pictures. Pure."""

import cv2
import numpy as np
from numpy.typing import NDArray


def through_jpeg(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Encoded and decoded: uint8 [H, W] or [H, W, 3] to the same; ``quality`` 0 to 100."""
    encoded = np.frombuffer(jpeg(pixels, quality), np.uint8)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED), np.uint8)


def jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """uint8 [H, W] or [H, W, 3] (BGR) as a file; ``quality`` 0 to 100."""
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
