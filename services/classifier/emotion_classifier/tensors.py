"""TensorProto to numpy and back, in both of TensorFlow's encodings."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from emotion.tfserving import tensor_pb2
from emotion_serving import InvalidArgument
from numpy.typing import NDArray

# The numpy dtype (little-endian, as tensor_content is) and the typed field of each element type.
_ENCODINGS: dict[tensor_pb2.DataType.ValueType, tuple[np.dtype[Any], str]] = {
    tensor_pb2.DT_FLOAT: (np.dtype("<f4"), "float_val"),
    tensor_pb2.DT_DOUBLE: (np.dtype("<f8"), "double_val"),
    tensor_pb2.DT_INT32: (np.dtype("<i4"), "int_val"),
    tensor_pb2.DT_UINT8: (np.dtype("u1"), "int_val"),
    tensor_pb2.DT_INT16: (np.dtype("<i2"), "int_val"),
    tensor_pb2.DT_INT8: (np.dtype("i1"), "int_val"),
    tensor_pb2.DT_INT64: (np.dtype("<i8"), "int64_val"),
    tensor_pb2.DT_BOOL: (np.dtype("?"), "bool_val"),
}
_DATA_TYPES = {dtype: data_type for data_type, (dtype, _) in _ENCODINGS.items()}


@dataclass(frozen=True)
class TensorSpec:
    """What a signature says of one input or output.

    Attributes:
        name: name of the tensor in the graph.
        dtype: element type.
        shape: sizes, outermost first; -1 where any size is taken.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def data_type(self) -> tensor_pb2.DataType.ValueType:
        """The element type as TensorFlow numbers it.

        Raises:
            KeyError: none of TensorFlow's numeric types.
        """
        return _DATA_TYPES[self.dtype.newbyteorder("<")]

    def to_proto(self) -> tensor_pb2.TensorInfo:
        """The same as a TensorInfo."""
        return tensor_pb2.TensorInfo(
            name=self.name, dtype=self.data_type, tensor_shape=shape_proto(self.shape)
        )


def shape_proto(shape: tuple[int, ...]) -> tensor_pb2.TensorShapeProto:
    """A shape as a TensorShapeProto."""
    return tensor_pb2.TensorShapeProto(
        dim=[tensor_pb2.TensorShapeProto.Dim(size=size) for size in shape]
    )


def encode_tensor(array: NDArray[Any]) -> tensor_pb2.TensorProto:
    """An array in the typed field of its dtype, as TensorFlow Serving answers.

    Raises:
        KeyError: the dtype is none of TensorFlow's numeric types.
    """
    data_type = _DATA_TYPES[array.dtype.newbyteorder("<")]
    proto = tensor_pb2.TensorProto(dtype=data_type, tensor_shape=shape_proto(array.shape))
    getattr(proto, _ENCODINGS[data_type][1]).extend(array.ravel().tolist())
    return proto


def decode_tensor(
    name: str, proto: tensor_pb2.TensorProto, spec: TensorSpec, max_rows: int
) -> NDArray[Any]:
    """The array in ``proto``; its memory is shared with ``tensor_content`` and read-only.

    The shape is held to ``spec`` and ``max_rows`` before anything is allocated, so a shape that
    only claims to be large costs nothing. As in TensorFlow, a typed field with one element
    stands for a tensor that is filled with it.

    Args:
        name: the input's name, for messages.
        proto: what the client sent, in either encoding.
        spec: what the signature expects.
        max_rows: largest first dimension.

    Raises:
        InvalidArgument: other dtype or shape than expected, too many rows, or elements that do
            not fit the shape or the dtype.
    """
    expected_type = spec.data_type
    if proto.dtype != expected_type:
        raise InvalidArgument(
            f"input {name!r} expects {_type_name(expected_type)} but {_type_name(proto.dtype)} "
            "is given"
        )
    if proto.tensor_shape.unknown_rank:
        raise InvalidArgument(
            f"input {name!r} expects shape {list(spec.shape)} but unknown rank is given"
        )
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if len(shape) != len(spec.shape) or any(
        given < 0 or expected not in (-1, given)
        for given, expected in zip(shape, spec.shape, strict=True)
    ):
        raise InvalidArgument(
            f"input {name!r} expects shape {list(spec.shape)} but {_shape_text(shape)} is given"
        )
    if shape and shape[0] > max_rows:
        raise InvalidArgument(
            f"input {name!r} has {shape[0]} rows; this server takes at most {max_rows} in a call"
        )
    if proto.tensor_content:
        return _from_content(name, proto.tensor_content, spec.dtype, shape)
    return _from_values(name, proto, spec.dtype, shape)


def _from_content(
    name: str, content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    expected = math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise InvalidArgument(
            f"input {name!r} has {len(content)} bytes of tensor_content; "
            f"shape {list(shape)} of {dtype} expects {expected}"
        )
    return np.frombuffer(content, dtype.newbyteorder("<")).reshape(shape)


def _from_values(
    name: str, proto: tensor_pb2.TensorProto, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    field = _ENCODINGS[proto.dtype][1]
    values = getattr(proto, field)
    expected = math.prod(shape)
    if len(values) not in (expected, 1):
        raise InvalidArgument(
            f"input {name!r} has {len(values)} elements in {field} and no tensor_content; "
            f"shape {list(shape)} expects {expected}"
        )
    if field == "int_val" and len(values):
        limits = np.iinfo(dtype)
        if min(values) < limits.min or max(values) > limits.max:
            raise InvalidArgument(
                f"input {name!r} has elements from {min(values)} to {max(values)} in {field}; "
                f"{dtype} expects {limits.min} to {limits.max}"
            )
    array = np.array(values, dtype)
    return array.reshape(shape) if len(values) == expected else np.broadcast_to(array, shape)


def _type_name(data_type: int) -> str:
    try:
        return tensor_pb2.DataType.Name(data_type)  # type: ignore[arg-type]
    except ValueError:
        return f"data type {data_type}"


def _shape_text(shape: tuple[int, ...]) -> str:
    """A shape for a message; a client may send thousands of dimensions."""
    return str(list(shape)) if len(shape) <= 8 else f"one of {len(shape)} dimensions"
