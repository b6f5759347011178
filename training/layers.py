"""Layers that both networks share; the same weights work on every Keras backend."""

from typing import Any

import keras


def set_up_backend() -> None:
    """Channels first on PyTorch, last on TensorFlow: what each computes fastest.

    Kernels have the same layout in both, so weights go from one to the other.
    """
    first = keras.backend.backend() == "torch"
    keras.config.set_image_data_format("channels_first" if first else "channels_last")


def channel_axis() -> int:
    """The axis of the channels of a batch of maps."""
    return 1 if keras.config.image_data_format() == "channels_first" else -1


def input_shape(height: int | None, width: int | None, channels: int) -> tuple[int | None, ...]:
    """Shape of one picture's map, without the batch."""
    return (channels, height, width) if channel_axis() == 1 else (height, width, channels)


@keras.saving.register_keras_serializable("emotion")
class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Keras' own, but PyTorch's single kernel on PyTorch.

    Keras composes it of a dozen operations there, each of which goes over all maps again.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalises over all axes but the channels'."""
        if keras.backend.backend() != "torch" or self.axis != 1:
            return super().call(inputs, training=training, mask=mask)
        import torch

        if isinstance(inputs, torch.Tensor) and inputs.device.type == "meta":
            return inputs  # Keras asks for the shape only
        return torch.nn.functional.batch_norm(
            inputs,
            self.moving_mean.value.detach(),
            self.moving_variance.value.detach(),
            self.gamma.value,
            self.beta.value,
            training=bool(training) and self.trainable,
            momentum=1 - self.momentum,
            eps=self.epsilon,
        )


def convolution(
    maps: Any, filters: int, *, size: int = 3, stride: int = 1, activation: bool = True
) -> Any:
    """Convolution, batch normalisation and, unless told otherwise, ReLU.

    Pads by size // 2 on every side whatever the stride, so that every backend and every runtime
    agree.
    """
    if stride > 1:
        maps = keras.layers.ZeroPadding2D(size // 2)(maps)
    maps = keras.layers.Conv2D(
        filters, size, strides=stride, padding="valid" if stride > 1 else "same", use_bias=False
    )(maps)
    maps = BatchNormalization(axis=channel_axis())(maps)
    return keras.layers.ReLU()(maps) if activation else maps
