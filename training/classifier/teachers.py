"""Networks that teach others."""

import keras
import numpy as np
from numpy.typing import NDArray

from training.classifier.batches import Targets, Teacher
from training.classifier.network import FER2013, FER_PLUS


def teacher(network: keras.Model) -> Teacher:
    """What a network from ``train.load`` says of faces, by both heads.

    The mean over a face and its mirror image, which is right more often than a single look.
    """

    def teach(faces: NDArray[np.uint8]) -> Targets:
        logits = network.predict_on_batch(np.concatenate([faces, faces[:, :, ::-1]]))
        return {
            head: np.mean(np.split(softmax(np.asarray(logits[head], np.float32)), 2), axis=0)
            for head in (FER_PLUS, FER2013)
        }

    return teach


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    normalised: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return normalised
