"""The server as a real process: start, health, reflection, new versions under load, drain."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from emotion.tfserving import serving_pb2, serving_pb2_grpc, tensor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from running import PYTHON, SHIPPED_VERSION, RunningService, free_port

SERVICES = ["tensorflow.serving.ModelService", "tensorflow.serving.PredictionService"]


def request(count: int, fill: int | None = None) -> serving_pb2.PredictRequest:
    shape = (count, 48, 48, 1)
    dim = [tensor_pb2.TensorShapeProto.Dim(size=size) for size in shape]
    proto = tensor_pb2.TensorProto(
        dtype=tensor_pb2.DT_UINT8, tensor_shape=tensor_pb2.TensorShapeProto(dim=dim)
    )
    if fill is None:
        pictures = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
        proto.tensor_content = pictures.tobytes()
    else:
        proto.int_val.append(fill)
    return serving_pb2.PredictRequest(
        model_spec=serving_pb2.ModelSpec(name="emotion"), inputs={"faces": proto}
    )


@pytest.fixture(scope="module")
def shipped() -> Iterator[RunningService]:
    """The server as it starts without any flag but the port."""
    with RunningService("emotion_classifier") as service:
        yield service


@pytest.fixture
def channel(shipped: RunningService) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(shipped.address) as channel:
        yield channel


def exit_of(*arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a start that ends by itself."""
    done = subprocess.run(
        [str(PYTHON), "-m", "emotion_classifier", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stderr


def test_predict(channel: grpc.Channel) -> None:
    predict = serving_pb2_grpc.PredictionServiceStub(channel).Predict
    answer = predict(request(3), timeout=5)
    (scores,) = answer.outputs.values()
    assert scores.dtype == tensor_pb2.DT_FLOAT
    assert [dim.size for dim in scores.tensor_shape.dim] == [3, 8]
    assert len(scores.float_val) == 24
    assert not scores.tensor_content
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (
        SHIPPED_VERSION,
        "serving_default",
    )
    (empty,) = predict(request(0), timeout=5).outputs.values()
    assert [dim.size for dim in empty.tensor_shape.dim] == [0, 8]
    assert not empty.float_val
    (filled,) = predict(request(2, fill=9), timeout=5).outputs.values()
    assert filled.float_val[:8] == filled.float_val[8:]


def test_health_and_reflection(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for service in ["", *SERVICES]:
        asked = health_pb2.HealthCheckRequest(service=service)
        assert health.Check(asked, timeout=5).status == health_pb2.HealthCheckResponse.SERVING
    listed = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert {*SERVICES, "grpc.health.v1.Health"} <= set(listed)


def test_a_taken_port_exits_with_1(shipped: RunningService) -> None:
    code, error = exit_of("--port", str(shipped.port))
    assert code == 1
    assert f"cannot listen on {shipped.address}" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "many"], "--threads (or EMOTION_CLASSIFIER_THREADS) is 'many'"),
        (["--models-root", "/nowhere"], "cannot read folder /nowhere/emotion of model 'emotion'"),
        (["--model-config-file", "/nowhere.config"], "cannot read model config file /nowhere"),
        (["--no-such-flag", "1"], "no-such-flag"),
    ],
)
def test_bad_settings_exit_with_2(arguments: list[str], message: str) -> None:
    code, error = exit_of("--port", str(free_port()), *arguments)
    assert code == 2
    assert message in error.splitlines()[-1]
    assert "Traceback" not in error


def test_a_broken_model_exits_with_2_and_opens_no_port(
    models_root: Path, write_config: Callable[..., Path]
) -> None:
    os.truncate(models_root / "emotion/1/model.tflite", 5000)
    port = free_port()
    code, error = exit_of(
        "--port", str(port), "--models-root", str(models_root),
        "--model-config-file", str(write_config()),
    )  # fmt: skip
    assert code == 2
    assert str(models_root / "emotion/1/model.tflite") in error.splitlines()[-1]
    assert '"serving"' not in error
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", port)) != 0


def test_a_new_version_is_picked_up_under_load_with_no_failed_call(
    models_root: Path, write_config: Callable[..., Path], tflite: bytes
) -> None:
    config = write_config()
    flags = ["--models-root", str(models_root), "--model-config-file", str(config)]
    with RunningService("emotion_classifier", *flags, "--poll-seconds", "0.1") as service:
        failures: list[grpc.RpcError] = []
        versions: list[int] = []
        stop = threading.Event()

        def call_all_the_time(count: int) -> None:
            with grpc.insecure_channel(service.address) as channel:
                predict = serving_pb2_grpc.PredictionServiceStub(channel).Predict
                while not stop.is_set():
                    try:
                        answer = predict(request(count), timeout=5)
                    except grpc.RpcError as error:
                        failures.append(error)
                    else:
                        versions.append(answer.model_spec.version.value)

        def wait_for(version: int) -> None:
            deadline = time.monotonic() + 15
            while not versions or versions[-1] != version:
                assert time.monotonic() < deadline, f"version {version} not served: {service.log}"
                time.sleep(0.02)

        callers = [threading.Thread(target=call_all_the_time, args=(n,)) for n in (1, 3, 8)]
        for caller in callers:
            caller.start()
        try:
            wait_for(1)
            for version in (2, 3):
                folder = models_root / f"emotion/{version}"
                folder.mkdir()
                with (folder / "model.tflite").open("wb", buffering=0) as file:
                    for part in range(4):
                        file.write(tflite[part * len(tflite) // 4 : (part + 1) * len(tflite) // 4])
                        time.sleep(0.15)
                wait_for(version)
            (models_root / "emotion/4").mkdir()
            (models_root / "emotion/4/model.tflite").write_bytes(b"broken")
            shutil.rmtree(models_root / "emotion/1")
            time.sleep(0.5)
        finally:
            stop.set()
            for caller in callers:
                caller.join()
        assert not failures
        assert set(versions) == {1, 2, 3}
        assert versions[-1] == 3
        with grpc.insecure_channel(service.address) as channel:
            status = serving_pb2_grpc.ModelServiceStub(channel).GetModelStatus(
                serving_pb2.GetModelStatusRequest(model_spec=serving_pb2.ModelSpec(name="emotion")),
                timeout=5,
            )
        state = serving_pb2.ModelVersionStatus.State
        assert [(s.version, state.Name(s.state)) for s in status.model_version_status] == [
            (4, "END"),
            (3, "AVAILABLE"),
            (2, "END"),
            (1, "END"),
        ]
        assert service.stop() == 0


def test_sigterm_lets_the_running_call_end(
    models_root: Path, write_config: Callable[..., Path]
) -> None:
    flags = ["--models-root", str(models_root), "--model-config-file", str(write_config())]
    flags += ["--threads", "1", "--max-batch-faces", "4000", "--drain-seconds", "60"]
    with (
        RunningService("emotion_classifier", *flags) as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        predict = serving_pb2_grpc.PredictionServiceStub(channel).Predict
        call = predict.future(request(4000, fill=1), timeout=60)  # 1.7 s at 0.4 ms a face
        time.sleep(0.2)
        assert not call.done()
        service.process.terminate()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        (scores,) = call.result().outputs.values()
        assert len(scores.float_val) == 4000 * 8
        assert service.process.wait(10) == 0
        assert '"stopped"' in service.log


def test_nothing_is_logged_per_call(shipped: RunningService, channel: grpc.Channel) -> None:
    before = shipped.log
    predict = serving_pb2_grpc.PredictionServiceStub(channel).Predict
    for _ in range(20):
        predict(request(1), timeout=5)
    assert shipped.log == before
