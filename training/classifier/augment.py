"""Random changes of a face while training: what detector, camera and network do to it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from training.pictures import through_jpeg

_SIZE = 48
_MIDDLE = (_SIZE - 1) / 2


def augment(face: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Another view of a face, uint8 [48, 48].

    Mirrored, turned (15 degrees at most), stretched, scaled and shifted as a detector's box may be
    off; darker or brighter; sometimes blurred, as if it had been small, noisy, or through JPEG;
    sometimes with a part covered (random erasing, Zhong et al., 2020).
    """
    view = _moved(face, rng)
    if rng.random() < 0.35:
        view = np.asarray(cv2.LUT(view, _curve(rng)), np.uint8)
    if rng.random() < 0.12:
        small = int(rng.integers(18, 40))
        reduced = cv2.resize(view, (small, small), interpolation=cv2.INTER_AREA)
        view = np.asarray(cv2.resize(reduced, (_SIZE, _SIZE)), np.uint8)
    if rng.random() < 0.1:
        noise = rng.normal(0, rng.uniform(2, 10), view.shape)
        view = np.clip(view + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        view = through_jpeg(view, int(rng.integers(30, 90)))
    if rng.random() < 0.3:
        view = _covered(view, rng)
    return view


def _moved(face: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    angle = np.deg2rad(np.clip(rng.normal(0, 5), -15, 15))
    scale = np.exp(rng.uniform(-0.16, 0.16))
    stretch = np.exp(rng.uniform(-0.06, 0.06))
    shift = np.clip(rng.normal(0, 0.05, 2), -0.12, 0.12) * _SIZE
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[mirror * cosine * stretch, -sine], [mirror * sine * stretch, cosine]])
    matrix = np.column_stack((turn, _MIDDLE + shift - turn @ (_MIDDLE, _MIDDLE)))
    moved = cv2.warpAffine(
        face, matrix, (_SIZE, _SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)


def _curve(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A random gamma with the dark or the bright end cut off a little, uint8 [256]."""
    low, high = rng.uniform(-0.08, 0.08), rng.uniform(0.92, 1.08)
    gray = np.clip((np.arange(256) / 255 - low) / (high - low), 0, 1)
    return np.asarray(255 * gray ** np.exp(rng.uniform(-0.5, 0.5)), np.uint8)


def _covered(view: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    area = rng.uniform(0.02, 0.2) * _SIZE * _SIZE
    ratio = np.exp(rng.uniform(-0.9, 0.9))
    height, width = (
        int(np.clip(n, 1, _SIZE)) for n in (np.sqrt(area * ratio), np.sqrt(area / ratio))
    )
    top, left = int(rng.integers(0, _SIZE - height + 1)), int(rng.integers(0, _SIZE - width + 1))
    view = view.copy()
    view[top : top + height, left : left + width] = rng.integers(0, 256)
    return view
