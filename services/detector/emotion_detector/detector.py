"""From a picture file to faces and chips.

Read in order: ``decode`` (picture), ``FaceDetector.find``, ``Network.run``, ``decode`` and
``choose`` (boxes), ``cut_chips``.
"""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emotion_detector.boxes import (
    NO_FACES,
    Faces,
    choose,
    clip,
    decode,
    join,
    outside,
    voting_score,
)
from emotion_detector.chips import ENOUGH, cut_chips, least_side
from emotion_detector.network import Network, letterbox, scale_onto
from emotion_detector.picture import Limits
from emotion_detector.picture import decode as decode_picture
from emotion_detector.windows import around

# A face wider than this many pixels of the network's canvas counts as large: the packaged network
# finds parts of it as faces, or nothing, where at half the size it finds it whole.
_LARGE = 96
_WORTHWHILE = 0.6  # part of the canvas above which parts of it cost as much as all of it
_SMALLEST_LOOK = 128  # longer side in canvas pixels below which nothing new is found


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in one picture.

    ``width`` and ``height`` of the picture as shown, in pixels. ``faces`` in fractions of the
    picture's size, boxes cut off at its edges; best score first. ``chips`` uint8 [N, 48, 48].
    ``decode_seconds`` and ``detect_seconds`` is the time taken (detection with cutting).
    """

    width: int
    height: int
    faces: Faces
    chips: npt.NDArray[np.uint8]
    decode_seconds: float
    detect_seconds: float


class FaceDetector:
    """Finds faces of pictures; safe to use from several threads.

    Args:
        network: the loaded network.
        limits: the largest picture that is decoded.
    """

    def __init__(self, network: Network, limits: Limits) -> None:
        self._network = network
        self._limits = limits

    def analyse(
        self,
        data: bytes,
        min_score: float,
        max_faces: int,
        expected: npt.NDArray[np.float32] | None = None,
    ) -> Analysis:
        """Finds at most ``max_faces`` faces scored ``min_score`` or more, and cuts them out.

        ``expected`` boxes float32 [N, 4], in fractions of the picture, are where faces are
        known to be: it looks around them only. None: everywhere.

        Raises:
            PictureError: the picture can not be decoded.
        """
        begin = time.perf_counter()
        picture = decode_picture(data, self._limits, self._network.longer_side)
        decoded = time.perf_counter()
        if expected is None:
            found = self.find(picture.pixels, min_score)
        else:
            found = self.find_again(picture.pixels, min_score, expected)
        height, width = picture.pixels.shape[:2]
        faces = _inside(found, width, height).take(slice(max_faces))
        detected = time.perf_counter()
        luma = picture.luma(ENOUGH / least_side(faces))
        decoded_again = time.perf_counter()
        chips = cut_chips(luma, faces.scaled(luma.shape[1] / width, luma.shape[0] / height))
        fractions = Faces(clip(faces.boxes, width, height), faces.landmarks, faces.scores).scaled(
            1 / width, 1 / height
        )
        return Analysis(
            picture.width,
            picture.height,
            fractions,
            chips,
            decode_seconds=decoded - begin + decoded_again - detected,
            detect_seconds=detected - decoded + time.perf_counter() - decoded_again,
        )

    def find(self, pixels: npt.NDArray[np.uint8], min_score: float) -> Faces:
        """All faces of ``pixels`` (uint8 [height, width, 3], BGR), in them, best score first.

        Where a look finds no face or a large one, another is taken at half the size and a
        quarter of the cost, and its large faces replace what overlaps them.
        """
        longer_side = min(self._network.longer_side, max(pixels.shape[:2]))
        faces = self._look(pixels, longer_side, min_score)
        while longer_side >= 2 * _SMALLEST_LOOK and not self._network.fixed:
            large = _LARGE * max(pixels.shape[:2]) / longer_side
            if len(faces) and faces.boxes[:, 2].max() < large:
                break
            longer_side //= 2
            close = self._look(pixels, longer_side, min_score)
            close = close.take(close.boxes[:, 2] >= large)
            faces = join([close, outside(faces, close)])
        return faces.take(np.argsort(-faces.scores, kind="stable"))

    def find_again(
        self,
        pixels: npt.NDArray[np.uint8],
        min_score: float,
        expected: npt.NDArray[np.float32],
    ) -> Faces:
        """The faces around ``expected`` (float32 [N, 4], fractions of the picture) in ``pixels``.

        It runs the network on parts of the very canvas that a look everywhere would use, cut
        at multiples of its largest stride. So a face is seen by the same cells, at the same
        scale, and its box does not jump between the two ways of looking.
        """
        if len(expected) == 0:
            return NO_FACES
        height, width = pixels.shape[:2]
        longer_side = min(self._network.longer_side, max(pixels.shape[:2]))
        canvas = letterbox(width, height, longer_side, self._network.fixed)
        inner = np.array([canvas.inner_width, canvas.inner_height] * 2, np.float32)
        windows = around(expected * inner, canvas)
        area = sum(window.width * window.height for window in windows)
        large = (expected[:, 2] * canvas.inner_width).max() >= _LARGE
        if self._network.fixed or large or area > _WORTHWHILE * canvas.width * canvas.height:
            return self.find(pixels, min_score)
        scaled = scale_onto(pixels, canvas)
        parts = []
        for window in windows:
            outputs = self._network.run_window(scaled, window)
            found = decode(outputs, window.width, voting_score(min_score))
            parts.append(found.moved(window.x, window.y))
        faces = choose(join([NO_FACES, *parts]), min_score)
        return faces.scaled(width / canvas.inner_width, height / canvas.inner_height)

    def _look(self, pixels: npt.NDArray[np.uint8], longer_side: int, min_score: float) -> Faces:
        height, width = pixels.shape[:2]
        canvas = letterbox(width, height, longer_side, self._network.fixed)
        outputs = self._network.run(pixels, canvas)
        faces = choose(decode(outputs, canvas.width, voting_score(min_score)), min_score)
        return faces.scaled(width / canvas.inner_width, height / canvas.inner_height)


def _inside(faces: Faces, width: int, height: int) -> Faces:
    """The faces of which something is inside a picture of ``width`` x ``height`` pixels."""
    return faces.take(np.all(clip(faces.boxes, width, height)[:, 2:] > 0, axis=1))
