"""The embedded server answers official clients as TensorFlow Serving does."""

import re
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from running import SHIPPED_VERSION
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
)

NOT_FOUND = grpc.StatusCode.NOT_FOUND
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT
FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


def pictures(count: int) -> np.ndarray:
    """uint8 [count,48,48,1]."""
    return np.random.default_rng(3).integers(0, 256, (count, 48, 48, 1), np.uint8)


def spec(
    name: str = "emotion", version: int | None = None, label: str | None = None, signature: str = ""
) -> model_pb2.ModelSpec:
    message = model_pb2.ModelSpec(name=name, signature_name=signature)
    if version is not None:
        message.version.value = version
    if label is not None:
        message.version_label = label
    return message


def predict_request(
    model_spec: model_pb2.ModelSpec | None = None,
    output_filter: list[str] | None = None,
    **inputs: Any,
) -> predict_pb2.PredictRequest:
    return predict_pb2.PredictRequest(
        model_spec=model_spec or spec(),
        inputs={name: tf.make_tensor_proto(array) for name, array in inputs.items()},
        output_filter=output_filter or [],
    )


def status_request(*args: Any, **kwargs: Any) -> get_model_status_pb2.GetModelStatusRequest:
    return get_model_status_pb2.GetModelStatusRequest(model_spec=spec(*args, **kwargs))


def metadata_request(
    model_spec: model_pb2.ModelSpec | None = None, fields: tuple[str, ...] = ("signature_def",)
) -> get_model_metadata_pb2.GetModelMetadataRequest:
    return get_model_metadata_pb2.GetModelMetadataRequest(
        model_spec=model_spec or spec(), metadata_field=fields
    )


def refused(method: Any, request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        method(request, timeout=10)
    return caught.value.code(), caught.value.details()


def scores_of(response: predict_pb2.PredictResponse) -> np.ndarray:
    (proto,) = response.outputs.values()
    return tf.make_ndarray(proto)


@pytest.fixture(scope="module")
def output_name(client: Any) -> str:
    (name,) = client.prediction.Predict(predict_request(faces=pictures(1)), timeout=10).outputs
    return name


def test_predict_echoes_the_effective_spec_and_answers_in_typed_fields(client: Any) -> None:
    response = client.prediction.Predict(predict_request(faces=pictures(5)), timeout=10)
    assert response.model_spec == spec(version=SHIPPED_VERSION, signature="serving_default")
    (proto,) = response.outputs.values()
    assert proto.dtype == tf.float32.as_datatype_enum
    assert len(proto.float_val) == 40
    assert not proto.tensor_content
    scores = scores_of(response)
    assert scores.shape == (5, 8)
    assert np.allclose(scores.sum(axis=1), 1, atol=0.03)


def test_both_encodings_and_every_way_to_name_the_version_answer_alike(client: Any) -> None:
    faces = pictures(3)
    content = predict_request(faces=faces)
    assert content.inputs["faces"].tensor_content
    typed = predict_request()
    typed.inputs["faces"].CopyFrom(content.inputs["faces"])
    typed.inputs["faces"].ClearField("tensor_content")
    typed.inputs["faces"].int_val.extend(faces.ravel().tolist())
    expected = scores_of(client.prediction.Predict(content, timeout=10))
    for request in (
        typed,
        predict_request(spec(version=SHIPPED_VERSION), faces=faces),
        predict_request(spec(label="stable"), faces=faces),
        predict_request(spec(signature="serving_default"), faces=faces),
    ):
        response = client.prediction.Predict(request, timeout=10)
        np.testing.assert_array_equal(scores_of(response), expected)
        assert response.model_spec == spec(version=SHIPPED_VERSION, signature="serving_default")


def test_a_constant_picture_in_one_typed_element(client: Any) -> None:
    request = predict_request(faces=np.full((2, 48, 48, 1), 9, np.uint8))
    expected = scores_of(client.prediction.Predict(request, timeout=10))
    request.inputs["faces"].ClearField("tensor_content")
    request.inputs["faces"].int_val[:] = [9]
    np.testing.assert_array_equal(
        scores_of(client.prediction.Predict(request, timeout=10)), expected
    )


def test_the_other_signature_scores_fer2013s_seven_labels(client: Any) -> None:
    request = predict_request(spec(signature="fer2013"), faces=pictures(2))
    response = client.prediction.Predict(request, timeout=10)
    assert response.model_spec == spec(version=SHIPPED_VERSION, signature="fer2013")
    assert scores_of(response).shape == (2, 7)
    assert np.allclose(scores_of(response).sum(axis=1), 1, atol=0.03)


def test_no_faces(client: Any) -> None:
    request = predict_request(faces=pictures(0))
    assert scores_of(client.prediction.Predict(request, timeout=10)).shape == (0, 8)


def test_output_filter(client: Any, output_name: str) -> None:
    request = predict_request(output_filter=[output_name], faces=pictures(1))
    assert list(client.prediction.Predict(request, timeout=10).outputs) == [output_name]


def test_metadata_is_a_signature_def_map(client: Any, output_name: str) -> None:
    response = client.prediction.GetModelMetadata(metadata_request(), timeout=10)
    assert response.model_spec == spec(version=SHIPPED_VERSION)
    packed = response.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert packed.Unpack(signatures)
    methods = {name: found.method_name for name, found in signatures.signature_def.items()}
    assert methods == dict.fromkeys(("serving_default", "fer2013"), "tensorflow/serving/predict")
    signature = signatures.signature_def["serving_default"]
    faces, output = signature.inputs["faces"], signature.outputs[output_name]
    assert tf.as_dtype(faces.dtype) == tf.uint8
    assert tf.TensorShape(faces.tensor_shape).as_list() == [None, 48, 48, 1]
    assert [dim.size for dim in faces.tensor_shape.dim] == [-1, 48, 48, 1]
    assert tf.as_dtype(output.dtype) == tf.float32
    assert [dim.size for dim in output.tensor_shape.dim] == [-1, 8]


def test_status(client: Any) -> None:
    for request in (status_request(), status_request(version=SHIPPED_VERSION)):
        (status,) = client.model.GetModelStatus(request, timeout=10).model_version_status
        assert status.version == SHIPPED_VERSION
        assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
        assert (status.status.error_code, status.status.error_message) == (0, "")


@pytest.mark.parametrize(
    ("model_spec", "code", "message"),
    [
        (spec("m"), NOT_FOUND, "Servable not found for request: Latest(m)"),
        (spec("m", version=42), NOT_FOUND, "Servable not found for request: Specific(m, 42)"),
        (spec(version=42), NOT_FOUND, "Servable not found for request: Specific(emotion, 42)"),
        (spec(version=0), NOT_FOUND, "Servable not found for request: Specific(emotion, 0)"),
        (spec(""), INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (spec(label="L"), INVALID_ARGUMENT, "Unrecognized servable version label: L"),
        (spec("m", label="L"), INVALID_ARGUMENT, "Unrecognized servable version label: L"),
    ],
)
def test_a_model_that_is_not_there(
    client: Any, model_spec: model_pb2.ModelSpec, code: grpc.StatusCode, message: str
) -> None:
    request = predict_request(model_spec, faces=pictures(1))
    assert refused(client.prediction.Predict, request) == (code, message)
    request = metadata_request(model_spec)
    assert refused(client.prediction.GetModelMetadata, request) == (code, message)


def test_no_spec(client: Any) -> None:
    missing = (INVALID_ARGUMENT, "Missing ModelSpec")
    predict = predict_request(faces=pictures(1))
    metadata = metadata_request()
    status = status_request()
    for request in (predict, metadata, status):
        request.ClearField("model_spec")
    assert refused(client.prediction.Predict, predict) == missing
    assert refused(client.prediction.GetModelMetadata, metadata) == missing
    assert refused(client.model.GetModelStatus, status) == missing


def test_status_of_what_is_not_there(client: Any) -> None:
    assert refused(client.model.GetModelStatus, status_request("X")) == (
        NOT_FOUND,
        "Could not find any versions of model X",
    )
    for name in ("X", "emotion"):
        assert refused(client.model.GetModelStatus, status_request(name, version=7)) == (
            NOT_FOUND,
            f"Could not find version 7 of model {name}",
        )


def test_unknown_signature(client: Any) -> None:
    request = predict_request(spec(signature="S"), faces=pictures(1))
    assert refused(client.prediction.Predict, request) == (
        FAILED_PRECONDITION,
        'Serving signature key "S" not found.',
    )


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            [],
            "input size does not match signature: 0!=1 len({}) != len({faces}). "
            "Sent extra: {}. Missing but required: {faces}.",
        ),
        (
            ["faces", "b", "a"],
            "input size does not match signature: 3!=1 len({a,b,faces}) != len({faces}). "
            "Sent extra: {a,b}. Missing but required: {}.",
        ),
        (
            ["a"],
            "input tensor alias not found in signature: a. "
            "Inputs expected to be in the set {faces}.",
        ),
    ],
)
def test_inputs_by_name(client: Any, inputs: list[str], message: str) -> None:
    request = predict_request(**{name: pictures(1) for name in inputs})
    assert refused(client.prediction.Predict, request) == (INVALID_ARGUMENT, message)


def test_output_filter_that_does_not_fit(client: Any, output_name: str) -> None:
    request = predict_request(output_filter=["y"], faces=pictures(1))
    assert refused(client.prediction.Predict, request) == (
        INVALID_ARGUMENT,
        "output tensor alias not found in signature: y "
        f"Outputs expected to be in the set {{{output_name}}}.",
    )
    request = predict_request(output_filter=[output_name] * 2, faces=pictures(1))
    assert refused(client.prediction.Predict, request) == (
        INVALID_ARGUMENT,
        f"duplicate output tensor alias: {output_name}",
    )


def test_metadata_fields(client: Any) -> None:
    assert refused(client.prediction.GetModelMetadata, metadata_request(fields=())) == (
        INVALID_ARGUMENT,
        "GetModelMetadataRequest must specify at least one metadata_field",
    )
    code, message = refused(client.prediction.GetModelMetadata, metadata_request(fields=("x",)))
    assert code == INVALID_ARGUMENT
    assert re.fullmatch("Metadata field x is not supported", message)


@pytest.mark.parametrize(
    ("faces", "expected", "given"),
    [
        (np.zeros((1, 48, 48, 1), np.float32), "DT_UINT8", "DT_FLOAT"),
        (np.array([[b"x"]]), "DT_UINT8", "DT_STRING"),
        (np.zeros((1, 48, 48, 1), np.float16), "DT_UINT8", "data type 19"),
        (np.zeros((1, 48, 48), np.uint8), "[-1, 48, 48, 1]", "[1, 48, 48]"),
        (np.zeros((2, 64, 48, 1), np.uint8), "[-1, 48, 48, 1]", "[2, 64, 48, 1]"),
        (np.uint8(3), "[-1, 48, 48, 1]", "[]"),
    ],
)
def test_dtype_and_shape_name_the_expected_and_the_given(
    client: Any, faces: np.ndarray, expected: str, given: str
) -> None:
    code, message = refused(client.prediction.Predict, predict_request(faces=faces))
    assert code == INVALID_ARGUMENT
    assert f"expects {expected}" in message.replace("shape ", "")
    assert f"but {given} is given" in message


def test_a_declared_shape_that_its_bytes_do_not_fill(client: Any) -> None:
    request = predict_request(faces=pictures(1))
    for rows in (0, 2, 100, -1, 2**40, 2**62):
        request.inputs["faces"].tensor_shape.dim[0].size = rows
        code, _ = refused(client.prediction.Predict, request)
        assert code == INVALID_ARGUMENT
    over = predict_request(faces=np.zeros((257, 48, 48, 1), np.uint8))
    assert refused(client.prediction.Predict, over) == (
        INVALID_ARGUMENT,
        "input 'faces' has 257 rows; this server takes at most 256 in a call",
    )
