"""Canvases to train on: parts of pictures, zoomed, turned, mirrored, relit, joined to mosaics."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.detector.data import Picture
from training.detector.labels import Labels
from training.pictures import through_jpeg

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_MIRRORED_LANDMARKS = [1, 0, 2, 4, 3]
_SMALLEST_FACE = 7  # pixels; narrower ones are unsure
_WIDTHS = (18.0, 240.0)  # of faces on a canvas
_TILE_WIDTHS = (10.0, 100.0)  # in a mosaic
_ENLARGED = 2.5  # a face is rarely shown larger than this times its own size
_PALER, _TINTED = 0.2, 0.25  # shares of canvases
_GAIN = 0.3  # of a channel, as a logarithm
_LOOKED_AT = (320, 640)  # longer side in pixels at which pictures are looked at
_LOOKED_AT_SHARE = 0.35  # of the faces that are shown in the size that they have then
_MISSED_SHARE = 0.25  # of the faces that a canvas is made around


@dataclass(frozen=True)
class View:
    """A canvas with faces, lengths in its pixels: ``pixels`` uint8 [H, W, 3], BGR; else as
    ``Labels``."""

    pixels: Pixels
    boxes: Floats
    landmarks: Floats
    unsure: Floats


@dataclass(frozen=True)
class Spot:
    """A place to look at: the picture's number, and a box, float32 [4], in it."""

    picture: int
    box: Floats


class Canvases:
    """Random canvases from pictures with labels.

    Args:
        pictures: to show.
        labels: theirs.
        size: side of a canvas in pixels.

    Attributes:
        alarms: false alarms to show again and again.
        missed: faces, likewise.
    """

    def __init__(self, pictures: Sequence[Picture], labels: Sequence[Labels], size: int) -> None:
        self.pictures, self.labels, self._size = pictures, labels, size
        self._decoded: dict[int, Pixels] = {}
        spots = [Spot(i, box) for i, known in enumerate(labels) for box in known.boxes]
        self._faces = sorted(spots, key=lambda spot: float(spot.box[2]))
        self._face_widths = np.array([spot.box[2] for spot in self._faces])
        self._face_free = [i for i, picture in enumerate(pictures) if picture.face_free]
        self.alarms: list[Spot] = []
        self.missed: list[Spot] = []

    def canvas(self, rng: np.random.Generator) -> View:
        """The next canvas, BGR: four pictures, one around a face, or one with no eye to faces."""
        if rng.random() < 0.4:
            view = self._mosaic(rng)
        else:
            view = self._tile(rng, (self._size, self._size), _WIDTHS)
        view = cover(view, rng) if rng.random() < 0.2 else view
        return View(relight(view.pixels, rng), view.boxes, view.landmarks, view.unsure)

    def _mosaic(self, rng: np.random.Generator) -> View:
        half, size = self._size // 2, self._size
        x, y = (half + int(rng.integers(-half // 3, half // 3 + 1)) for _ in range(2))
        pixels = np.empty((size, size, 3), np.uint8)
        parts = []
        for left, top, right, bottom in (
            (0, 0, x, y),
            (x, 0, size, y),
            (0, y, x, size),
            (x, y, size, size),
        ):
            part = self._tile(rng, (right - left, bottom - top), _TILE_WIDTHS)
            pixels[top:bottom, left:right] = part.pixels
            parts.append(moved(part, left, top))
        return View(
            pixels,
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
            np.concatenate([part.unsure for part in parts]),
        )

    def _tile(
        self, rng: np.random.Generator, size: tuple[int, int], widths: tuple[float, float]
    ) -> View:
        """One picture on ``size`` (width, height): around a face, a false alarm, or anything."""
        choice = rng.random()
        if choice < 0.68 and self._faces:
            spot, scale = self._face(rng, widths)
        elif choice < 0.84 and self.alarms:
            spot = self.alarms[int(rng.integers(len(self.alarms)))]
            scale = self._looked_at(spot.picture, rng)
        else:
            if choice < 0.94 and self._face_free:
                number = self._face_free[int(rng.integers(len(self._face_free)))]
            else:
                number = int(rng.integers(len(self.pictures)))
            rows, columns = self._picture(number).shape[:2]
            point = rng.random(2) * (columns, rows)
            spot = Spot(number, np.array([*point, 0, 0], np.float32))
            fitting = max(size) / max(rows, columns)
            scale = fitting * float(np.exp(rng.uniform(np.log(0.8), np.log(3.5))))
        angle = float(np.clip(rng.normal(0, 18), -60, 60)) if rng.random() < 0.6 else 0.0
        pixels = self._picture(spot.picture)
        mirror = bool(rng.random() < 0.5)
        place = rng.uniform(0.12, 0.88, 2) * size
        if rng.random() < 0.7:
            place = filling(place, spot.box, pixels.shape[:2], scale, mirror, size)
        matrix = placing(spot.box, scale, np.deg2rad(angle), mirror, place)
        fill = 0 if rng.random() < 0.6 else int(rng.integers(256))
        return shown(pixels, self.labels[spot.picture], matrix, size, fill)

    def _face(self, rng: np.random.Generator, widths: tuple[float, float]) -> tuple[Spot, float]:
        """A face, and the scale to show it at; the missed ones come more often."""
        low, high = widths
        missed = bool(self.missed) and rng.random() < _MISSED_SHARE
        if missed or rng.random() < _LOOKED_AT_SHARE:
            spots = self.missed if missed else self._faces
            spot = spots[int(rng.integers(len(spots)))]
            width = float(spot.box[2])
            if not missed or rng.random() < 0.5:
                scale = self._looked_at(spot.picture, rng)
                return spot, float(np.clip(scale, low / width, high / width))
            high = max(low, min(high, width * _ENLARGED))
            return spot, float(np.exp(rng.uniform(np.log(low), np.log(high)))) / width
        wanted = float(np.exp(rng.uniform(*np.log(widths))))
        first = int(np.searchsorted(self._face_widths, wanted / _ENLARGED))
        first = min(first, max(0, len(self._faces) - 40))
        spot = self._faces[int(rng.integers(first, len(self._faces)))]
        return spot, wanted / float(spot.box[2])

    def _looked_at(self, number: int, rng: np.random.Generator) -> float:
        """The scale of a whole picture when it is looked at, with some play."""
        low, high = np.log(_LOOKED_AT) - np.log(max(self._picture(number).shape[:2]))
        return float(np.exp(rng.uniform(low - 0.1, high + 0.1)))

    def _picture(self, number: int) -> Pixels:
        pixels = self._decoded.get(number)
        if pixels is None:
            pixels = self._decoded[number] = self.pictures[number].colour()
        return pixels


def placing(
    box: Floats, scale: float, angle: float, mirror: bool, place: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The 2x3 matrix that brings ``box``'s middle to ``place`` (x, y), scaled, turned, mirrored."""
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    sign = -1.0 if mirror else 1.0
    turn = np.array([[sign * cosine, -sine], [sign * sine, cosine]])
    middle = box[:2].astype(np.float64) + box[2:] / 2
    return np.column_stack((turn, place - turn @ middle))


def filling(
    place: NDArray[np.float64],
    box: Floats,
    shape: tuple[int, int],
    scale: float,
    mirror: bool,
    size: tuple[int, int],
) -> NDArray[np.float64]:
    """``place`` moved so that a picture of ``shape`` (rows, columns), unturned, fills a canvas."""
    middle = box[:2].astype(np.float64) + box[2:] / 2
    if mirror:
        middle[0] = shape[1] - middle[0]
    room = np.array(size) - np.array(shape[::-1]) * scale
    start = np.clip(place - middle * scale, np.minimum(room, 0), np.maximum(room, 0))
    return start + middle * scale


def shown(
    pixels: Pixels, labels: Labels, matrix: NDArray[np.float64], size: tuple[int, int], fill: int
) -> View:
    """A picture as ``matrix`` (from its pixels to the canvas's, edges of pixels count) shows it.

    Args:
        pixels: uint8 [H, W, 3].
        labels: of it.
        matrix: 2x3, a similarity.
        size: width and height of the canvas.
        fill: gray of what lies outside the picture.
    """
    boxes, landmarks = warp_boxes(labels.boxes, matrix), warp_landmarks(labels.landmarks, matrix)
    unsure = warp_boxes(labels.unsure, matrix)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.8:  # as the service scales: averaged
        rows, columns = pixels.shape[:2]
        small = max(1, round(columns * scale)), max(1, round(rows * scale))
        pixels = np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix.copy()
        matrix[:, 0] *= columns / small[0]
        matrix[:, 1] *= rows / small[1]
    # OpenCV counts from the centres of pixels, boxes from their edges.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    canvas = cv2.warpAffine(
        pixels,
        centred,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(fill,) * 3,
    )
    inside = visible(boxes, size)
    kept = (inside >= 0.55) & (boxes[:, 2] >= _SMALLEST_FACE)
    doubtful = ~kept & (inside > 0.08)
    unsure = np.concatenate([unsure[visible(unsure, size) > 0.08], boxes[doubtful]])
    return View(np.asarray(canvas, np.uint8), boxes[kept], landmarks[kept], clipped(unsure, size))


def warp_boxes(boxes: Floats, matrix: NDArray[np.float64]) -> Floats:
    """Boxes [N, 4] through a similarity 2x3: around the ellipses that they stand for."""
    if len(boxes) == 0:
        return boxes
    middles = (boxes[:, :2] + boxes[:, 2:] / 2) @ matrix[:, :2].T + matrix[:, 2]
    squares = boxes[:, 2:].astype(np.float64) ** 2 @ (matrix[:, :2] ** 2).T
    sizes = np.sqrt(squares)
    return np.concatenate([middles - sizes / 2, sizes], axis=1).astype(np.float32)


def warp_landmarks(landmarks: Floats, matrix: NDArray[np.float64]) -> Floats:
    """Landmarks [N, 5, 2] through a similarity; left and right change places in a mirror."""
    moved_points = (landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    if np.linalg.det(matrix[:, :2]) < 0:
        moved_points = moved_points[:, _MIRRORED_LANDMARKS]
    return moved_points


def visible(boxes: Floats, size: tuple[int, int]) -> Floats:
    """The part, 0 to 1, of each box [N, 4] on a canvas of ``size`` (width, height): [N]."""
    inner = clipped(boxes, size)
    ratios: Floats = np.prod(inner[:, 2:], axis=1) / np.maximum(np.prod(boxes[:, 2:], axis=1), 1e-6)
    return ratios


def clipped(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Boxes [N, 4] cut off at the edges of a canvas of ``size`` (width, height)."""
    start = np.clip(boxes[:, :2], 0, size)
    end = np.clip(boxes[:, :2] + boxes[:, 2:], 0, size)
    return np.concatenate([start, end - start], axis=1).astype(np.float32)


def moved(view: View, x: float, y: float) -> View:
    """The same, its lengths counted from (-x, -y)."""
    way = np.array([x, y, 0, 0], np.float32)
    return View(view.pixels, view.boxes + way, view.landmarks + way[:2], view.unsure + way)


def recoloured(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """BGR [H, W, 3] as under another light, paler, or gray, as cameras have it in the dark."""
    choice = rng.random()
    if choice >= _PALER + _TINTED:
        return pixels
    if choice < _PALER:
        kept = max(0.0, float(rng.uniform(-0.7, 0.9)))
        gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))[..., None]
        return np.asarray(np.rint(gray + kept * (pixels.astype(np.float32) - gray)), np.uint8)
    gains = np.exp(rng.uniform(-_GAIN, _GAIN, 3))
    return np.asarray(np.minimum(np.rint(pixels * gains), 255), np.uint8)


def cover(view: View, rng: np.random.Generator) -> View:
    """Hides a part of some faces: a band from one side, as a hand, a mask or a cup does."""
    pixels = view.pixels.copy()
    rows, columns = pixels.shape[:2]
    for left, top, width, height in view.boxes:
        if rng.random() < 0.5:
            continue
        part = rng.uniform(0.15, 0.42)
        side = int(rng.integers(3))
        if side == 0:  # the lower part
            area = (left, top + height * (1 - part), width, height * part)
        else:
            x = left if side == 1 else left + width * (1 - part)
            area = (x, top + height * rng.uniform(0, 0.4), width * part, height * 0.6)
        x0, y0 = (max(0, round(float(v))) for v in area[:2])
        x1 = min(columns, round(float(area[0] + area[2])))
        y1 = min(rows, round(float(area[1] + area[3])))
        if x1 <= x0 or y1 <= y0:
            continue
        if rng.random() < 0.5:
            pixels[y0:y1, x0:x1] = rng.integers(256, size=pixels.shape[2:])
        else:  # something else that is in the picture
            x, y = rng.integers(0, columns - (x1 - x0) + 1), rng.integers(0, rows - (y1 - y0) + 1)
            pixels[y0:y1, x0:x1] = view.pixels[y : y + y1 - y0, x : x + x1 - x0]
    return View(pixels, view.boxes, view.landmarks, view.unsure)


def relight(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Other light, another camera, another connection: uint8 [H, W, 3] of the same."""
    if rng.random() < 0.5:
        pixels = np.asarray(cv2.LUT(pixels, _curve(rng)), np.uint8)
    if rng.random() < 0.15:
        pixels = _side_light(pixels, rng)
    if rng.random() < 0.1:
        dark = cv2.convertScaleAbs(pixels, alpha=rng.uniform(0.12, 0.5))
        pixels = np.asarray(dark, np.uint8)
    if rng.random() < 0.15:
        pixels = _blurred(pixels, rng)
    if rng.random() < 0.25:
        noise = np.empty(pixels.shape[:2], np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(noise, np.zeros(1), np.array([rng.uniform(2, 14)]))
        pixels = np.asarray(cv2.add(pixels, cv2.merge([noise] * 3), dtype=cv2.CV_8U), np.uint8)
    if rng.random() < 0.25:
        pixels = through_jpeg(pixels, int(rng.integers(20, 85)))
    return pixels


def _curve(rng: np.random.Generator) -> Pixels:
    """A random gamma with the dark and the bright end moved, uint8 [256]."""
    low, high = rng.uniform(-0.25, 0.15), rng.uniform(0.8, 1.25)
    gray = np.clip((np.arange(256) / 255 - low) / (high - low), 0, 1)
    return np.asarray(255 * gray ** np.exp(rng.uniform(-0.9, 0.9)), np.uint8)


def _side_light(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Darker towards one side, to a tenth at most."""
    rows, columns = pixels.shape[:2]
    angle, dark = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.5)
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None] * np.float32(np.cos(angle))
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    steep = rng.uniform(1, 4)
    ramp = np.clip((x + y) * steep / 2 + 0.5 + rng.uniform(-0.4, 0.4), 0, 1)
    light = (dark + (1 - dark) * ramp).astype(np.float32)
    return (pixels * light[..., None]).astype(np.uint8)


def _blurred(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.5, 1.8)), np.uint8)
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    end = rng.uniform(0, length - 1, 2).astype(int)
    cv2.line(kernel, tuple(int(v) for v in end), tuple(int(length - 1 - v) for v in end), 1.0)
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8)
