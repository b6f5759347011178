"""Tensors survive the way to TensorProto and back; hostile ones are told what is wrong."""

import tracemalloc

import numpy as np
import pytest
from emotion.tfserving import tensor_pb2
from emotion_classifier.tensors import TensorSpec, decode_tensor, encode_tensor, shape_proto
from emotion_serving import InvalidArgument
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

FACES = TensorSpec("faces:0", np.dtype(np.uint8), (-1, 48, 48, 1))
DTYPES = ["<f4", "<f8", "<i4", "u1", "<i2", "i1", "<i8", "?"]

arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0))
)


def faces_proto(shape: tuple[int, ...], **fields: object) -> tensor_pb2.TensorProto:
    return tensor_pb2.TensorProto(
        dtype=tensor_pb2.DT_UINT8,
        tensor_shape=shape_proto(shape),
        **fields,  # type: ignore[arg-type]
    )


def decode(proto: tensor_pb2.TensorProto) -> np.ndarray:
    return decode_tensor("faces", proto, FACES, max_rows=16)


@given(arrays)
def test_typed_fields_round_trip(array: np.ndarray) -> None:
    spec = TensorSpec("t:0", array.dtype, (-1, *array.shape[1:]))
    back = decode_tensor("t", encode_tensor(array), spec, max_rows=100)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype


@given(arrays)
def test_tensor_content_round_trip(array: np.ndarray) -> None:
    spec = TensorSpec("t:0", array.dtype, (-1, *array.shape[1:]))
    proto = tensor_pb2.TensorProto(
        dtype=spec.data_type, tensor_shape=shape_proto(array.shape), tensor_content=array.tobytes()
    )
    np.testing.assert_array_equal(decode_tensor("t", proto, spec, max_rows=100), array)


def test_tensor_content_is_not_copied() -> None:
    array = decode(faces_proto((2, 48, 48, 1), tensor_content=bytes(2 * 2304)))
    assert not array.flags.owndata
    assert not array.flags.writeable


def test_one_typed_element_fills_the_tensor_as_in_tensorflow() -> None:
    array = decode(faces_proto((3, 48, 48, 1), int_val=[7]))
    assert array.shape == (3, 48, 48, 1)
    assert (array == 7).all()


def test_no_faces_is_an_empty_array() -> None:
    assert decode(faces_proto((0, 48, 48, 1))).shape == (0, 48, 48, 1)


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            tensor_pb2.TensorProto(
                dtype=tensor_pb2.DT_FLOAT, tensor_shape=shape_proto((1, 48, 48, 1))
            ),
            "input 'faces' expects DT_UINT8 but DT_FLOAT is given",
        ),
        (tensor_pb2.TensorProto(), "input 'faces' expects DT_UINT8 but DT_INVALID is given"),
        (
            tensor_pb2.TensorProto(dtype=99),  # type: ignore[arg-type]
            "input 'faces' expects DT_UINT8 but data type 99 is given",
        ),
        (
            faces_proto((1, 48, 48)),
            "input 'faces' expects shape [-1, 48, 48, 1] but [1, 48, 48] is given",
        ),
        (
            faces_proto((1, 64, 48, 1)),
            "input 'faces' expects shape [-1, 48, 48, 1] but [1, 64, 48, 1] is given",
        ),
        (
            faces_proto((-1, 48, 48, 1)),
            "input 'faces' expects shape [-1, 48, 48, 1] but [-1, 48, 48, 1] is given",
        ),
        (faces_proto(()), "input 'faces' expects shape [-1, 48, 48, 1] but [] is given"),
        (
            faces_proto((1,) * 1000),
            "input 'faces' expects shape [-1, 48, 48, 1] but one of 1000 dimensions is given",
        ),
        (
            tensor_pb2.TensorProto(
                dtype=tensor_pb2.DT_UINT8,
                tensor_shape=tensor_pb2.TensorShapeProto(unknown_rank=True),
            ),
            "input 'faces' expects shape [-1, 48, 48, 1] but unknown rank is given",
        ),
        (
            faces_proto((17, 48, 48, 1), tensor_content=bytes(17 * 2304)),
            "input 'faces' has 17 rows; this server takes at most 16 in a call",
        ),
        (
            faces_proto((2**62, 48, 48, 1), tensor_content=b"x"),
            f"input 'faces' has {2**62} rows; this server takes at most 16 in a call",
        ),
        (
            faces_proto((2, 48, 48, 1), tensor_content=bytes(2304)),
            "input 'faces' has 2304 bytes of tensor_content; "
            "shape [2, 48, 48, 1] of uint8 expects 4608",
        ),
        (
            faces_proto((1, 48, 48, 1)),
            "input 'faces' has 0 elements in int_val and no tensor_content; "
            "shape [1, 48, 48, 1] expects 2304",
        ),
        (
            faces_proto((1, 48, 48, 1), int_val=[0, 1]),
            "input 'faces' has 2 elements in int_val and no tensor_content; "
            "shape [1, 48, 48, 1] expects 2304",
        ),
        (
            faces_proto((1, 48, 48, 1), int_val=[256]),
            "input 'faces' has elements from 256 to 256 in int_val; uint8 expects 0 to 255",
        ),
        (
            faces_proto((1, 48, 48, 1), int_val=[-1] * 2304),
            "input 'faces' has elements from -1 to -1 in int_val; uint8 expects 0 to 255",
        ),
    ],
)
def test_what_does_not_fit_is_named(proto: tensor_pb2.TensorProto, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        decode(proto)
    assert str(caught.value) == message


dims = st.lists(st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, 48]), max_size=6)


@given(dims, st.binary(max_size=64), st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4))
def test_declared_shapes_cost_no_memory(
    shape: list[int], content: bytes, values: list[int]
) -> None:
    proto = faces_proto(tuple(shape), tensor_content=content, int_val=values)
    tracemalloc.start()
    try:
        array = decode(proto)
    except InvalidArgument:
        pass
    else:
        assert array.shape == tuple(shape)
    finally:
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak_bytes < 1_000_000
