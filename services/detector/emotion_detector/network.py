"""The detection network: an ONNX model with YuNet's outputs, and the canvas that it sees."""

import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

STRIDES = (8, 16, 32)
OUTPUTS = ("cls", "obj", "bbox", "kps")
_COLUMNS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
_CHANNELS = 3  # blue, green, red
_MULTIPLE = 32  # of the largest stride: width and height of every canvas


class ModelError(ValueError):
    """A model file that is missing, broken or of another kind; the message is one line."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where a picture lies on the network's input: top left, zeros right of it and below.

    ``width`` and ``height`` of the canvas, ``inner_width`` and ``inner_height`` of the picture
    on it, all in canvas pixels.
    """

    width: int
    height: int
    inner_width: int
    inner_height: int


def letterbox(
    width: int, height: int, longer_side: int, fixed: tuple[int, int] | None = None
) -> Canvas:
    """The canvas for a picture of ``width`` x ``height`` pixels.

    The picture keeps its shape (a side never falls below 1 pixel) and is never enlarged; its
    longer side becomes ``longer_side`` at most. ``fixed`` is the width and height of a network
    that takes only one size.
    """
    scale = min(1.0, longer_side / max(width, height))
    if fixed:
        scale = min(scale, fixed[0] / width, fixed[1] / height)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    canvas_width, canvas_height = fixed or (
        -(-inner_width // _MULTIPLE) * _MULTIPLE,
        -(-inner_height // _MULTIPLE) * _MULTIPLE,
    )
    return Canvas(canvas_width, canvas_height, inner_width, inner_height)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the canvas, in canvas pixels; all four are multiples of the largest stride."""

    x: int
    y: int
    width: int
    height: int


def scale_onto(pixels: npt.NDArray[np.uint8], canvas: Canvas) -> npt.NDArray[np.uint8]:
    """``pixels`` (uint8 [height, width, 3], any size) in the size that they have on ``canvas``."""
    inner = (canvas.inner_width, canvas.inner_height)
    if pixels.shape[1::-1] == inner:
        return pixels
    return np.asarray(cv2.resize(pixels, inner, interpolation=cv2.INTER_AREA), np.uint8)


class Network:
    """A loaded model; safe to use from several threads, each call runs on its caller's thread.

    The input is float32 [1, 3, H, W], BGR with values 0..255, as the public YuNet has it; the
    outputs are ``cls_s``, ``obj_s`` (both 0..1), ``bbox_s``, ``kps_s`` for strides s of 8, 16, 32,
    each [1, H/s * W/s, 1, 1, 4 or 10].

    Args:
        path: the ONNX file.
        longer_side: length in pixels of the longer side of pictures as the network sees them;
            a model of fixed size overrules it.

    Raises:
        ModelError: the file is missing, not a model, or of another layout. One inference is
            made to be sure.
    """

    def __init__(self, path: Path, longer_side: int) -> None:
        self._session = _load(path)
        source = self._session.get_inputs()[0]
        shape = source.shape
        if source.type != "tensor(float)" or len(shape) != 4 or shape[1] != _CHANNELS:
            raise ModelError(
                f"model {path} takes {source.type} {shape}; "
                "tensor(float) [N, 3, height, width] is expected"
            )
        self._input = source.name
        self._names = [f"{kind}_{stride}" for stride in STRIDES for kind in OUTPUTS]
        missing = set(self._names) - {output.name for output in self._session.get_outputs()}
        if missing:
            raise ModelError(
                f"model {path} has no outputs {', '.join(sorted(missing))}; "
                "YuNet's output names are expected"
            )
        height, width = shape[2:]
        self.fixed = (width, height) if isinstance(width, int) and isinstance(height, int) else None
        self.longer_side = max(self.fixed) if self.fixed else longer_side
        self._buffers = threading.local()
        self._try_out(path)

    def run(
        self, pixels: npt.NDArray[np.uint8], canvas: Canvas
    ) -> list[tuple[npt.NDArray[np.float32], ...]]:
        """Runs the network on a picture, scaled onto ``canvas``.

        ``pixels`` is uint8 [height, width, 3], BGR, of any size. Returns for each of ``STRIDES``
        the four ``OUTPUTS``, float32 [H/s * W/s, 1, 1, 4, 10].
        """
        return self._run(scale_onto(pixels, canvas), canvas.width, canvas.height)

    def run_window(
        self, scaled: npt.NDArray[np.uint8], window: Window
    ) -> list[tuple[npt.NDArray[np.float32], ...]]:
        """Runs the network on a part of a canvas; ``scaled`` as ``scale_onto`` makes it."""
        part = scaled[window.y : window.y + window.height, window.x : window.x + window.width]
        return self._run(part, window.width, window.height)

    def _run(
        self, part: npt.NDArray[np.uint8], width: int, height: int
    ) -> list[tuple[npt.NDArray[np.float32], ...]]:
        tensor = self._tensor(width, height)
        rows, columns = part.shape[:2]
        for channel, plane in enumerate(cv2.split(part)):
            tensor[0, channel, :rows, :columns] = plane
        tensor[:, :, rows:, :] = 0
        tensor[:, :, :rows, columns:] = 0
        values = self._session.run(self._names, {self._input: tensor})
        step = len(OUTPUTS)
        return [
            tuple(value[0] for value in values[step * level : step * (level + 1)])
            for level in range(len(STRIDES))
        ]

    def _tensor(self, width: int, height: int) -> npt.NDArray[np.float32]:
        """This thread's input memory, in the shape asked for; its values are left over."""
        count = _CHANNELS * height * width
        memory: npt.NDArray[np.float32] | None = getattr(self._buffers, "memory", None)
        if memory is None or memory.size < count:
            memory = self._buffers.memory = np.empty(count, np.float32)
        return memory[:count].reshape(1, _CHANNELS, height, width)

    def _try_out(self, path: Path) -> None:
        canvas = letterbox(self.longer_side, self.longer_side, self.longer_side, self.fixed)
        blank = np.zeros((canvas.inner_height, canvas.inner_width, _CHANNELS), np.uint8)
        try:
            outputs = self.run(blank, canvas)
        except Exception as error:
            raise ModelError(f"model {path} does not run: {_one_line(error)}") from error
        for stride, values in zip(STRIDES, outputs, strict=True):
            cells = (canvas.width // stride) * (canvas.height // stride)
            for kind, value in zip(OUTPUTS, values, strict=True):
                if value.shape != (cells, _COLUMNS[kind]):
                    raise ModelError(
                        f"model {path} gives {kind}_{stride} of shape {value.shape} for "
                        f"{canvas.width}x{canvas.height} pixels; "
                        f"{(cells, _COLUMNS[kind])} is expected"
                    )


def _load(path: Path) -> onnxruntime.InferenceSession:
    if not path.is_file():
        raise ModelError(f"model {path} does not exist: give the path of an ONNX file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # parallel over pictures, not inside one
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"model {path} does not load: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
