"""Which parts of the canvas to look at when it is known where faces are."""

import numpy as np
import numpy.typing as npt

from emotion_detector.network import STRIDES, Canvas, Window

_GRID = max(STRIDES)
_MARGIN = 0.5  # of the face's size, on each side: how far it may have moved
_CONTEXT = 16  # canvas pixels on each side: what the network wants to see around a face


def around(boxes: npt.NDArray[np.float32], canvas: Canvas) -> list[Window]:
    """Windows around ``boxes`` (float32 [N, 4], canvas pixels) that do not overlap.

    Each box lies in one window, with a margin where the canvas has room; windows that would
    overlap become one. Boxes outside the canvas get no window.
    """
    margins = _MARGIN * boxes[:, 2:] + _CONTEXT
    bounds = np.array([canvas.width, canvas.height]) // _GRID
    starts = np.clip(np.floor((boxes[:, :2] - margins) / _GRID), 0, bounds).astype(int)
    ends = np.clip(np.ceil((boxes[:, :2] + boxes[:, 2:] + margins) / _GRID), 0, bounds).astype(int)
    windows: list[tuple[int, int, int, int]] = []
    for (left, upper), (right, lower) in zip(starts.tolist(), ends.tolist(), strict=True):
        if left >= right or upper >= lower:
            continue
        window = (left, upper, right, lower)
        while touched := [other for other in windows if _overlap(window, other)]:
            windows = [other for other in windows if other not in touched]
            for other in touched:
                window = (
                    min(window[0], other[0]),
                    min(window[1], other[1]),
                    max(window[2], other[2]),
                    max(window[3], other[3]),
                )
        windows.append(window)
    return [
        Window(left * _GRID, upper * _GRID, (right - left) * _GRID, (lower - upper) * _GRID)
        for left, upper, right, lower in windows
    ]


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
