"""Models that teach: ensembles of our own networks, or a version that is served already."""

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training import litert
from training.classifier.batches import Targets, Teacher
from training.classifier.network import FER2013, FER_PLUS


def network_teacher(network: keras.Model) -> Teacher:
    """A network from ``train.load``."""

    def teach(faces: NDArray[np.uint8]) -> Targets:
        logits = network.predict_on_batch(faces)
        return {head: softmax(np.asarray(logits[head], np.float32)) for head in (FER_PLUS, FER2013)}

    return teach


def served_teacher(file: Path) -> Teacher:
    """A ``model.tflite`` of a version folder: FER+'s eight scores."""
    classify = litert.classifier(file)
    return lambda faces: {FER_PLUS: classify(faces[..., 0])}


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    normalised: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return normalised
