"""The expression classifier's network: a small plain net over 48x48 gray faces.

Pairs of 3x3 convolutions at four sizes of map, each pair twice as wide as the one before (Simonyan
& Zisserman, 2015, "VGG"), with batch normalisation and a mean over the last maps in place of dense
layers.
"""

from typing import Any

import keras

from training.layers import channel_axis, convolution, set_up_backend

FACE_SIZE = 48
FER_PLUS = "ferplus"
FER2013 = "fer2013"
# The head behind each signature of the served model: the gateway calls the first; the second scores
# FER2013's own seven labels.
SIGNATURES = {"serving_default": FER_PLUS, FER2013: FER2013}


@keras.saving.register_keras_serializable("emotion")
class NormaliseFaces(keras.layers.Layer):  # type: ignore[misc]
    """Each face of [N, 48, 48, 1] to zero mean and unit mean absolute deviation, in the backend's
    layout.

    Absolute, not standard: it needs fewer steps of an 8-bit number than a variance, so that faces
    of low contrast come out right in int8, too.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **{k: v for k, v in kwargs.items() if k != "dtype"})

    def call(self, faces: Any) -> Any:
        """float32 [N, 48, 48, 1] or [N, 1, 48, 48]."""
        faces = keras.ops.cast(faces, "float32")
        mean = keras.ops.mean(faces, axis=(1, 2), keepdims=True)
        spread = keras.ops.mean(keras.ops.absolute(faces - mean), axis=(1, 2), keepdims=True)
        # 1 in place of 0: a face of one gray stays finite, and no other notices.
        faces = (faces - mean) / (spread + 1.0)
        if channel_axis() == 1:
            # A view: PyTorch then keeps all maps in the order that its convolutions are quickest
            # in.
            faces = keras.ops.transpose(faces, (0, 3, 1, 2))
        return faces

    def compute_output_shape(self, input_shape: Any) -> Any:
        """As the layout has it."""
        if channel_axis() == 1:
            return (input_shape[0], 1, FACE_SIZE, FACE_SIZE)
        return input_shape


def build(width: float = 1.0, dropout: float = 0.2) -> keras.Model:
    """The network, with fresh weights.

    Args:
        width: factor of all numbers of channels; 1 is the served network, teachers may be wider.
        dropout: share of the last features that is left out while training.

    Returns:
        A model from uint8 [N, 48, 48, 1] to logits, float32 {"ferplus": [N, 8], "fer2013": [N, 7]}:
        the scores of FER+'s eight classes, which are served, and those of FER2013's own seven
        labels.
    """
    set_up_backend()
    inputs = keras.Input((FACE_SIZE, FACE_SIZE, 1), dtype="uint8", name="faces")
    maps = NormaliseFaces()(inputs)
    for stage, channels in enumerate((32, 64, 128, 256)):
        if stage:
            maps = keras.layers.MaxPooling2D()(maps)
        filters = int(8 * round(channels * width / 8))
        maps = convolution(convolution(maps, filters), filters)
    features = keras.layers.GlobalAveragePooling2D(dtype="float32")(maps)
    features = keras.layers.Dropout(dropout, dtype="float32")(features)
    outputs = {
        name: keras.layers.Dense(classes, dtype="float32", name=name)(features)
        for name, classes in ((FER_PLUS, 8), (FER2013, 7))
    }
    return keras.Model(inputs, outputs, name="expression")


def ordered_weights(network: keras.Model) -> list[Any]:
    """All weights in the order of a version's folder: the maps', then those of each head."""
    heads = [weight for head in SIGNATURES.values() for weight in network.get_layer(head).weights]
    ours = {id(weight) for weight in heads}
    return [weight for weight in network.weights if id(weight) not in ours] + heads
