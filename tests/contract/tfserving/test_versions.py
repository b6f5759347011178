"""Official clients see versions come and go while the embedded server serves."""

import shutil
import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from running import SHIPPED_MODEL, SHIPPED_VERSION, RunningService
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

State = get_model_status_pb2.ModelVersionStatus.State


def test_a_new_version_is_served_and_the_labelled_one_stays(tmp_path: Path) -> None:
    first, second, third = range(SHIPPED_VERSION, SHIPPED_VERSION + 3)
    shutil.copytree(SHIPPED_MODEL, tmp_path / f"emotion/{first}")
    faces = tf.make_tensor_proto(np.zeros((1, 48, 48, 1), np.uint8))

    def predict(stub: Any, **version: Any) -> int:
        spec = model_pb2.ModelSpec(name="emotion", **version)
        request = predict_pb2.PredictRequest(model_spec=spec, inputs={"faces": faces})
        return int(stub.Predict(request, timeout=5).model_spec.version.value)

    def states(stub: Any) -> dict[int, str]:
        request = get_model_status_pb2.GetModelStatusRequest(
            model_spec=model_pb2.ModelSpec(name="emotion")
        )
        versions = stub.GetModelStatus(request, timeout=5).model_version_status
        return {status.version: State.Name(status.state) for status in versions}

    flags = ["--models-root", str(tmp_path), "--poll-seconds", "0.1"]
    with (
        RunningService("emotion_classifier", *flags) as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        model = model_service_pb2_grpc.ModelServiceStub(channel)
        for version, expected in (
            (second, {second: "AVAILABLE", first: "AVAILABLE"}),
            (third, {third: "AVAILABLE", second: "AVAILABLE", first: "END"}),
        ):
            shutil.copytree(SHIPPED_MODEL, tmp_path / f"emotion/{version}")
            deadline = time.monotonic() + 15
            while states(model) != expected:
                assert time.monotonic() < deadline, f"{states(model)}\n{service.log}"
                assert predict(prediction) in (version, version - 1)
            assert predict(prediction) == version
            if version == second:
                assert predict(prediction, version_label="stable") == first
        with pytest.raises(grpc.RpcError) as caught:
            predict(prediction, version_label="stable")
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
        assert (
            caught.value.details() == f"Servable not found for request: Specific(emotion, {first})"
        )
