"""Weights of a packaged detector to start a training from."""

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from training.detector import network


def set_weights(model: keras.Model, onnx_file: bytes, canvases: NDArray[np.uint8]) -> None:
    """Makes ``model`` answer as a file of ``export.to_onnx`` does.

    The file has its batch normalisation folded into the convolutions. Here each gets back the
    statistics that its inputs have on ``canvases``, so that training goes on from the same answers.

    Args:
        model: from ``network.build``.
        onnx_file: the file's content.
        canvases: uint8 [N, S, S, 3] (BGR), of the kind that training shows.

    Raises:
        ValueError: the file is of another network.
    """
    graph = onnx.load_from_string(onnx_file).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    folded = [
        (arrays[node.input[1]], arrays[node.input[2]])
        for node in graph.node
        if node.op_type == "Conv"
    ]
    convolutions = [layer for layer in model.layers if hasattr(layer, "kernel")]
    if len(folded) != len(convolutions):
        raise ValueError(f"a detector of {len(folded)} convolutions, expected {len(convolutions)}")
    normalised = {
        id(source): layer
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for source in [layer.input]
    }
    biases = {}
    for number, (layer, (kernel, bias)) in enumerate(zip(convolutions, folded, strict=True)):
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        kernel = kernel.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
        if tuple(layer.kernel.shape) != kernel.shape:
            raise ValueError(
                f"kernel {number} is {kernel.shape}, expected {tuple(layer.kernel.shape)}"
            )
        layer.kernel.assign(kernel if number else kernel / np.float32(network.SCALE))
        if layer.use_bias:
            layer.bias.assign(bias)
        elif id(layer.output) in normalised:
            biases[id(layer.output)] = bias
    for source, layer in normalised.items():
        _normalise(layer, biases[source], np.zeros_like(biases[source]), 1.0 - layer.epsilon)
    inputs = [layer.input for layer in normalised.values()]
    found = keras.Model(model.inputs, inputs).predict(canvases, batch_size=16, verbose=0)
    for (source, layer), maps in zip(normalised.items(), found, strict=True):
        axes = tuple(axis for axis in range(maps.ndim) if axis != layer.axis % maps.ndim)
        maps = np.asarray(maps, np.float32)
        _normalise(layer, biases[source], maps.mean(axis=axes), maps.var(axis=axes))


def _normalise(
    layer: keras.layers.BatchNormalization,
    bias: NDArray[np.float32],
    mean: NDArray[np.float32],
    variance: NDArray[np.float32] | float,
) -> None:
    """Sets statistics, and what is learned so that the layer only adds ``bias``."""
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(np.broadcast_to(np.float32(variance), mean.shape))
    layer.gamma.assign(np.broadcast_to(np.sqrt(np.float32(variance + layer.epsilon)), mean.shape))
    layer.beta.assign(bias + mean)
