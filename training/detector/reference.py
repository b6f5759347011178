"""Detectors of others, for labels and for comparison: YuNet's ONNX files, at any size."""

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from emotion_detector.boxes import Faces, choose, decode, voting_score
from emotion_detector.network import OUTPUTS, STRIDES
from numpy.typing import NDArray

from training.folder import DataError

_MULTIPLE = 32
_MIRRORED_LANDMARKS = (1, 0, 2, 4, 3)


def free_size(file: Path) -> bytes:
    """YuNet's model with free height and width.

    The public files say 640x640, but none of their nodes needs it. The batch stays 1, because the
    outputs are reshaped to that.

    Raises:
        DataError: the file is missing or not a model.
    """
    try:
        model = onnx.load(str(file))
    except Exception as error:
        raise DataError(f"{file} is missing or damaged: {error}") from error
    for dimension, name in zip(
        model.graph.input[0].type.tensor_type.shape.dim[2:], ("height", "width"), strict=True
    ):
        dimension.dim_param = name
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = f"cells_{output.name}"
    content: bytes = model.SerializeToString()
    return content


def session(model: bytes | str, threads: int = 1) -> onnxruntime.InferenceSession:
    """ONNX Runtime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def resized(pixels: NDArray[np.uint8], longer_side: int) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] with its longer side at ``longer_side``, reduced or enlarged."""
    height, width = pixels.shape[:2]
    scale = longer_side / max(height, width)
    if scale == 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


class Detector:
    """A detector with YuNet's outputs, ours or others', run on whole pictures.

    Args:
        model: an ONNX model of free size.
        colour: whether it is shown the colours of pictures, or their luma three times.
    """

    def __init__(self, model: bytes | str, *, colour: bool = True) -> None:
        self._session = session(model)
        self._colour = colour
        self._input = self._session.get_inputs()[0].name
        self._names = [f"{kind}_{stride}" for stride in STRIDES for kind in OUTPUTS]

    def candidates(self, pixels: NDArray[np.uint8], min_score: float) -> Faces:
        """Faces before suppression; ``pixels`` uint8 [H, W, 3], BGR."""
        return decode(self._run(pixels), -(-pixels.shape[1] // _MULTIPLE) * _MULTIPLE, min_score)

    def answers(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 [A, 16] for all cells: class and object (0 to 1), box, landmarks.

        Args:
            pixels: as ``candidates``, height and width multiples of 32.
        """
        return np.concatenate([np.concatenate(level, axis=1) for level in self._run(pixels)])

    def _run(self, pixels: NDArray[np.uint8]) -> list[tuple[NDArray[np.float32], ...]]:
        """Of each stride class, object, box and landmarks, as ``boxes.decode`` takes them."""
        height, width = pixels.shape[:2]
        rows, columns = (-(-side // _MULTIPLE) * _MULTIPLE for side in (height, width))
        tensor = np.zeros((1, 3, rows, columns), np.float32)
        if self._colour:
            tensor[0, :, :height, :width] = pixels.transpose(2, 0, 1)
        else:
            tensor[0, :, :height, :width] = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
        values = [value[0] for value in self._session.run(self._names, {self._input: tensor})]
        step = len(OUTPUTS)
        return [tuple(values[i : i + step]) for i in range(0, len(values), step)]

    def find(
        self, pixels: NDArray[np.uint8], min_score: float, longer_side: int | None = None
    ) -> Faces:
        """Faces of a picture, in its pixels, best score first.

        Args:
            pixels: uint8 [H, W, 3], BGR.
            min_score: 0 to 1.
            longer_side: what the picture is scaled to, up or down; None leaves it as it is.
        """
        height, width = pixels.shape[:2]
        scaled = resized(pixels, longer_side) if longer_side else pixels
        faces = choose(self.candidates(scaled, voting_score(min_score)), min_score)
        return faces.scaled(width / scaled.shape[1], height / scaled.shape[0])

    def find_mirrored(
        self, pixels: NDArray[np.uint8], min_score: float, longer_side: int | None = None
    ) -> Faces:
        """As ``find``, but the picture is looked at in a mirror."""
        flipped = np.ascontiguousarray(pixels[:, ::-1])
        faces = self.find(flipped, min_score, longer_side)
        width = pixels.shape[1]
        boxes = faces.boxes.copy()
        boxes[:, 0] = width - boxes[:, 0] - boxes[:, 2]
        landmarks = faces.landmarks[:, _MIRRORED_LANDMARKS].copy()
        landmarks[..., 0] = width - landmarks[..., 0]
        return Faces(boxes, landmarks, faces.scores)
