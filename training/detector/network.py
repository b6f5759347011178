"""The face detector's network: YuNet's size, input and outputs.

After YuNet (Wu, Peng & Yu, 2023): pointwise-then-depthwise units, three levels joined from coarse
to fine (feature pyramid, Lin et al., 2017), no anchors. Apart from it: full convolutions with
stride where the maps are large, which cost a CPU less than the unit and its pooling there; all
sixteen answers of a cell from one convolution.
"""

from typing import Any

import keras

from training.layers import BatchNormalization, channel_axis, convolution, set_up_backend

STRIDES = (8, 16, 32)
# Columns of a cell's answers: class and object (before the sigmoid), box, landmarks.
CLASS, OBJECT, BOX, LANDMARKS = slice(0, 1), slice(1, 2), slice(2, 6), slice(6, 16)
ANSWERS = 16
CHANNELS = 3  # blue, green, red
SCALE = 1 / 128
_PRIOR = -4.0  # of class and object: nearly all cells have no face


@keras.saving.register_keras_serializable("emotion")
class ScalePixels(keras.layers.Layer):  # type: ignore[misc]
    """Pixels 0..255 to 0..2, in the backend's layout; black stays 0, as convolutions pad."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **{k: v for k, v in kwargs.items() if k != "dtype"})

    def call(self, pictures: Any) -> Any:
        """float32 [N, H, W, 3] or [N, 3, H, W] of [N, H, W, 3]."""
        pictures = keras.ops.cast(pictures, "float32") * SCALE
        if channel_axis() == 1:
            # A view: PyTorch then keeps all maps in the order that its convolutions are quickest
            # in.
            pictures = keras.ops.transpose(pictures, (0, 3, 1, 2))
        return pictures

    def compute_output_shape(self, input_shape: Any) -> Any:
        """As the layout has it."""
        if channel_axis() == 1:
            return (input_shape[0], input_shape[3], *input_shape[1:3])
        return input_shape


def build() -> keras.Model:
    """The network, with fresh weights.

    Returns:
        A model from BGR pictures, uint8 or float32 [N, H, W, 3], H and W multiples of 32, to
        float32 [N, A, 16]: the answers of the cells of strides 8, 16 and 32, one level after
        another, row by row. Columns: see ``CLASS``, ``OBJECT``, ``BOX``, ``LANDMARKS``.
    """
    set_up_backend()
    inputs = keras.Input((None, None, CHANNELS), name="input")
    maps = ScalePixels()(inputs)
    maps = convolution(maps, 16, stride=2)
    maps = _unit(convolution(maps, 32, stride=2), 32)
    fine = _units(convolution(maps, 64, stride=2), 2)
    middle = _units(_unit(fine, 64, stride=2), 2)
    coarse = _units(_unit(middle, 64, stride=2), 2)

    coarse = _unit(coarse, 64)
    middle = _unit(keras.layers.Add()([_enlarged(coarse), middle]), 64)
    fine = _unit(keras.layers.Add()([_enlarged(middle), fine]), 64)
    answers = [
        _head(level, stride) for level, stride in zip((fine, middle, coarse), STRIDES, strict=True)
    ]
    return keras.Model(
        inputs, keras.layers.Concatenate(axis=1, dtype="float32")(answers), name="detector"
    )


def _units(maps: Any, number: int) -> Any:
    for _ in range(number):
        maps = _unit(maps, maps.shape[channel_axis()])
    return maps


def _unit(maps: Any, filters: int, stride: int = 1) -> Any:
    """Pointwise and depthwise convolution, batch normalisation, ReLU."""
    maps = keras.layers.Conv2D(filters, 1, use_bias=False)(maps)
    if stride > 1:
        maps = keras.layers.ZeroPadding2D(1)(maps)
    maps = keras.layers.DepthwiseConv2D(
        3, strides=stride, padding="valid" if stride > 1 else "same", use_bias=False
    )(maps)
    maps = BatchNormalization(axis=channel_axis())(maps)
    return keras.layers.ReLU()(maps)


def _enlarged(maps: Any) -> Any:
    return keras.layers.UpSampling2D(2, interpolation="nearest")(maps)


def _head(maps: Any, stride: int) -> Any:
    """float32 [N, cells, 16]."""
    maps = _unit(maps, maps.shape[channel_axis()])
    answers = keras.layers.Conv2D(
        ANSWERS, 1, name=f"answers_{stride}", bias_initializer=_prior, dtype="float32"
    )(maps)
    if channel_axis() == 1:
        answers = keras.layers.Permute((2, 3, 1), dtype="float32")(answers)
    return keras.layers.Reshape((-1, ANSWERS), dtype="float32")(answers)


def _prior(shape: Any, dtype: Any = None) -> Any:
    columns = keras.ops.arange(shape[0]) < OBJECT.stop
    return keras.ops.where(
        columns, keras.ops.full(shape, _PRIOR, dtype), keras.ops.zeros(shape, dtype)
    )
