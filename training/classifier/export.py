"""The trained network in the two formats that are served, in one version folder.

Runs on the TensorFlow backend only: TensorFlow writes what TensorFlow Serving loads.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.classifier.network import FACE_SIZE, SIGNATURES, ordered_weights

OUTPUT = "probabilities"


def export(
    network: keras.Model,
    temperatures: dict[str, float],
    sample: NDArray[np.uint8],
    out: Path,
) -> None:
    """Writes SavedModel and int8 ``model.tflite`` into the version folder ``out``.

    Args:
        network: trained, from ``train.load``. Its last layers are changed.
        temperatures: by head; its logits are divided by it (Guo et al., 2017, "On calibration of
            modern neural networks").
        sample: uint8 [N, 48, 48], faces to train on: the ranges of the int8 numbers are measured on
            them.
        out: for example ``services/classifier/models/emotion/3``.
    """
    for head, temperature in temperatures.items():
        layer = network.get_layer(head)
        layer.set_weights([weights / temperature for weights in layer.get_weights()])

    servable = tf.Module(name="expression")
    servable.weights = ordered_weights(network)  # in the order that ``train.served_weights`` reads
    _save(servable, lambda faces: network(faces, training=False), out)
    (out / "model.tflite").write_bytes(_int8(network, sample))


def _save(servable: tf.Module, logits: Any, out: Path) -> None:
    faces = tf.TensorSpec((None, FACE_SIZE, FACE_SIZE, 1), tf.uint8, name="faces")

    def signature(head: str) -> Any:
        serve = tf.function(lambda faces: {OUTPUT: tf.nn.softmax(logits(faces)[head])})
        return serve.get_concrete_function(faces)

    tf.saved_model.save(
        servable, str(out), signatures={name: signature(head) for name, head in SIGNATURES.items()}
    )


def _int8(network: keras.Model, sample: NDArray[np.uint8]) -> bytes:
    """LiteRT with 8-bit weights and activations (Jacob et al., 2018).

    The converter measures ranges of several signatures only where weights are constants.
    """
    trained = [variable.numpy() for variable in network.trainable_variables]
    counted = [variable.numpy() for variable in network.non_trainable_variables]

    def logits(faces: Any) -> Any:
        constants = [[tf.constant(value) for value in part] for part in (trained, counted)]
        return network.stateless_call(*constants, faces, training=False)[0]

    def samples() -> Iterator[tuple[str, dict[str, NDArray[np.uint8]]]]:
        for name in SIGNATURES:
            for face in sample:
                yield name, {"faces": face[None, ..., None]}

    with tempfile.TemporaryDirectory() as folder:
        _save(tf.Module(), logits, Path(folder))
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(SIGNATURES)
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        content: bytes = converter.convert()
    return content
