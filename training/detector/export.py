"""The trained network as an ONNX model with YuNet's outputs."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.detector import network

Floats = NDArray[np.float32]

_OPSET, _IR = 17, 8
_PARTS = (("cls", 1, True), ("obj", 1, True), ("bbox", 4, False), ("kps", 10, False))


def to_onnx(model: keras.Model) -> bytes:
    """An ONNX file of what ``network.build`` makes.

    Input ``input`` float32 [N, 3, H, W], BGR, values 0 to 255; outputs ``cls_s``, ``obj_s`` (0 to
    1), ``bbox_s``, ``kps_s`` of strides s, each [N, H/s * W/s, 1, 1, 4 or 10]. Batch normalisation
    and the scale of the pixels are folded into the convolutions.

    Raises:
        ValueError: the model has a layer that this does not know.
    """
    graph = _Graph()
    for layer in model.layers:
        convert = _CONVERTERS.get(type(layer).__name__)
        if convert is None:
            raise ValueError(
                f"no ONNX form of layer {layer.name} ({type(layer).__name__}) is known"
            )
        convert(graph, layer)
    return graph.serialise()


def with_scores_shifted(detector: bytes, score: float) -> bytes:
    """The same detector with other scores, in the same order: what had ``score`` has 0.5.

    Args:
        detector: an ONNX file as ``to_onnx`` makes it.
        score: between 0 and 1.
    """
    model = onnx.load_from_string(detector)
    for tensor in model.graph.initializer:
        if tensor.name.startswith("answers_") and tensor.name.endswith("_bias"):
            bias = numpy_helper.to_array(tensor).copy()
            bias[: network.OBJECT.stop] -= np.log(score / (1 - score))
            tensor.CopyFrom(numpy_helper.from_array(bias, tensor.name))
    return _checked(model)


def _checked(model: onnx.ModelProto) -> bytes:
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


class _Graph:
    """An ONNX graph in the making. ``names`` of ONNX values by the identity of Keras' tensors."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._arrays: dict[str, NDArray[Any]] = {}
        self._outputs: list[Any] = []
        self._names: dict[int, str] = {}
        self._kernels: dict[str, tuple[str, str]] = {}  # of a convolution's output: kernel, bias
        self._scale: dict[str, float] = {}  # that a value is still to be multiplied by
        self._padding: dict[str, int] = {}  # that a value still lacks on each side

    def sources(self, layer: Any) -> list[str]:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        return [self._names[id(tensor)] for tensor in inputs]

    def name(self, layer: Any, value: str) -> None:
        """Says that ``value`` is what ``layer`` gives."""
        self._names[id(layer.output)] = value

    def node(
        self, operation: str, inputs: list[str], outputs: list[str], **attributes: Any
    ) -> None:
        self._nodes.append(
            helper.make_node(operation, inputs, outputs, name=outputs[0] + "_node", **attributes)
        )

    def array(self, name: str, values: Any) -> str:
        self._arrays[name] = np.asarray(values)
        return name

    def input(self, layer: Any) -> None:
        self.name(layer, "input")

    def scale(self, layer: Any) -> None:
        (source,) = self.sources(layer)
        self._scale[source] = network.SCALE
        self.name(layer, source)

    def pad(self, layer: Any) -> None:
        (source,) = self.sources(layer)
        self._padding[source] = int(layer.padding[0][0])
        self.name(layer, source)

    def convolution(self, layer: Any) -> None:
        (source,) = self.sources(layer)
        kernel = np.asarray(keras.ops.convert_to_numpy(layer.kernel), np.float32)
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        # Keras: height, width, in, out (or height, width, channel, 1); ONNX: out, in of the group,
        # ...
        kernel = kernel.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
        kernel = kernel * np.float32(self._scale.pop(source, 1.0))
        bias = np.zeros(len(kernel), np.float32)
        if layer.use_bias:
            bias = np.asarray(keras.ops.convert_to_numpy(layer.bias), np.float32)
        side = int(layer.kernel_size[0])
        padding = side // 2 if layer.padding == "same" else self._padding.pop(source, 0)
        names = self.array(f"{layer.name}_kernel", kernel), self.array(f"{layer.name}_bias", bias)
        self._kernels[layer.name] = names
        self.node(
            "Conv",
            [source, *names],
            [layer.name],
            kernel_shape=[side, side],
            strides=[int(layer.strides[0])] * 2,
            pads=[padding] * 4,
            group=len(kernel) if depthwise else 1,
        )
        self.name(layer, layer.name)
        if layer.name.startswith("answers_"):
            self._answers(layer.name, int(layer.name.removeprefix("answers_")))

    def normalise(self, layer: Any) -> None:
        (source,) = self.sources(layer)
        gamma, beta, mean, variance = (
            np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
            for variable in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
        )
        factor = gamma / np.sqrt(variance + layer.epsilon)
        kernel, bias = self._kernels[source]
        self._arrays[kernel] = (self._arrays[kernel] * factor[:, None, None, None]).astype(
            np.float32
        )
        self._arrays[bias] = ((self._arrays[bias] - mean) * factor + beta).astype(np.float32)
        self.name(layer, source)

    def simple(self, layer: Any, operation: str) -> None:
        self.node(operation, self.sources(layer), [layer.name])
        self.name(layer, layer.name)

    def enlarge(self, layer: Any) -> None:
        (source,) = self.sources(layer)
        factors = self.array(f"{layer.name}_factors", np.array([1, 1, 2, 2], np.float32))
        self.node(
            "Resize",
            [source, "", factors],
            [layer.name],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        self.name(layer, layer.name)

    def skip(self, layer: Any) -> None:
        """Of a layer that only arranges the answers for Keras."""
        self.name(layer, self.sources(layer)[0])

    def _answers(self, source: str, stride: int) -> None:
        rows = f"rows_{stride}"
        self.node("Transpose", [source], [f"last_{stride}"], perm=[0, 2, 3, 1])
        shape = self.array("rows_shape", np.array([0, -1, network.ANSWERS], np.int64))
        self.node("Reshape", [f"last_{stride}", shape], [rows])
        columns = self.array("columns", np.array([count for _, count, _ in _PARTS], np.int64))
        self.node(
            "Split",
            [rows, columns],
            [f"{part}_{stride}" + ("_logit" if score else "") for part, _, score in _PARTS],
            axis=2,
        )
        for part, count, score in _PARTS:
            name = f"{part}_{stride}"
            if score:
                self.node("Sigmoid", [f"{name}_logit"], [name])
            self._outputs.append(
                helper.make_tensor_value_info(
                    name, TensorProto.FLOAT, ["batch", f"cells_{stride}", count]
                )
            )

    def serialise(self) -> bytes:
        graph = helper.make_graph(
            self._nodes,
            "face_detector",
            [
                helper.make_tensor_value_info(
                    "input", TensorProto.FLOAT, ["batch", network.CHANNELS, "height", "width"]
                )
            ],
            self._outputs,
            [numpy_helper.from_array(array, name) for name, array in self._arrays.items()],
        )
        model = helper.make_model(
            graph,
            producer_name="training.detector",
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR,
        )
        return _checked(model)


_CONVERTERS: dict[str, Callable[[_Graph, Any], None]] = {
    "InputLayer": _Graph.input,
    "ScalePixels": _Graph.scale,
    "ZeroPadding2D": _Graph.pad,
    "Conv2D": _Graph.convolution,
    "DepthwiseConv2D": _Graph.convolution,
    "BatchNormalization": _Graph.normalise,
    "ReLU": lambda graph, layer: graph.simple(layer, "Relu"),
    "Add": lambda graph, layer: graph.simple(layer, "Add"),
    "UpSampling2D": _Graph.enlarge,
    "Permute": _Graph.skip,
    "Reshape": _Graph.skip,
    "Concatenate": _Graph.skip,
}
