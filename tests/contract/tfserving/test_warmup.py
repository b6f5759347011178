"""The warm-up requests in each version's folder are such that TensorFlow Serving can run them."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import tensorflow as tf
from running import ROOT
from tensorflow_serving.apis import prediction_log_pb2

CLASSIFIER = ROOT / "services/classifier"
VERSIONS = [p.parent for p in CLASSIFIER.glob("models/emotion/*/saved_model.pb")]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("w", CLASSIFIER / "tfserving/write_warmup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def records(file: Path) -> list[prediction_log_pb2.PredictionLog]:
    """Read with TensorFlow, which checks each record's checksum."""
    return [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(file))
    ]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda p: p.name)
def test_the_saved_model_answers_every_warm_up_request(version: Path, script: ModuleType) -> None:
    predict = tf.saved_model.load(str(version)).signatures["serving_default"]
    logs = records(version / script.FILE)
    assert 0 < len(logs) <= 1000  # more, and TensorFlow Serving refuses the model
    for log in logs:
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "emotion"
        assert set(request.inputs) == {"faces"}
        faces = tf.make_ndarray(request.inputs["faces"])
        (answer,) = predict(faces=tf.constant(faces)).values()
        assert answer.shape == (len(faces), 8)
    sizes = [log.predict_log.request.inputs["faces"].tensor_shape.dim[0].size for log in logs]
    assert sizes == list(script.BATCH_SIZES)


@pytest.mark.parametrize("version", VERSIONS, ids=lambda p: p.name)
def test_the_file_is_what_the_script_writes(
    version: Path, script: ModuleType, tmp_path: Path
) -> None:
    assert script.write(tmp_path).read_bytes() == (version / script.FILE).read_bytes()
