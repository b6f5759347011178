"""The SavedModel that TensorFlow Serving runs and the embedded server agree."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from running import ROOT, SHIPPED_MODEL
from tensorflow_serving.apis import predict_pb2

FER = ROOT.parent / "shared/data/fer"


@pytest.fixture(scope="module")
def saved_model() -> Any:
    """The SavedModel's serving_default; the object keeps its variables alive."""
    loaded = tf.saved_model.load(str(SHIPPED_MODEL))
    signature = loaded.signatures["serving_default"]
    signature.keep = loaded
    return signature


def drawn_pictures() -> np.ndarray:
    """Faces of circles and lines in many sizes, brightnesses and mouths, uint8 [N,48,48,1]."""
    y, x = np.mgrid[0:48, 0:48].astype(np.float32)
    pictures = []
    for seed in range(48):
        rng = np.random.default_rng(seed)
        picture = np.full((48, 48), rng.uniform(20, 90), np.float32)
        cx, cy, size = rng.uniform(21, 27), rng.uniform(21, 27), rng.uniform(16, 23)
        picture += rng.uniform(60, 120) * (np.hypot(x - cx, (y - cy) / 1.2) < size)
        for side in (-1, 1):
            eye = np.hypot(x - cx - side * size * 0.4, y - cy + size * 0.3)
            picture -= rng.uniform(50, 90) * (eye < size * rng.uniform(0.08, 0.22))
        bend = rng.uniform(-0.06, 0.06) * (x - cx) ** 2
        mouth = np.abs(y - cy - size * 0.5 - bend) < rng.uniform(1, 3)
        picture -= 70 * (mouth & (np.abs(x - cx) < size * 0.5))
        picture += rng.normal(0, rng.uniform(1, 8), picture.shape) + rng.uniform(-1, 1) * (x - 24)
        pictures.append(np.clip(picture, 0, 255).astype(np.uint8))
    return np.stack(pictures)[..., None]


def fer_test_pictures() -> np.ndarray:
    """The faces of the last two mosaics: all are of a test split. uint8 [N,48,48,1]."""
    return np.concatenate([_tiles(FER / f"fer2013_{number}.webp") for number in (21, 22)])


def _tiles(mosaic: Path) -> np.ndarray:
    gray = tf.io.decode_webp(mosaic.read_bytes()).numpy()[0, :, :, 0]
    return np.ascontiguousarray(gray.reshape(-1, 48, 40, 48).swapaxes(1, 2).reshape(-1, 48, 48, 1))


def embedded_scores(client: Any, faces: np.ndarray) -> np.ndarray:
    return np.concatenate([_scores(client, faces[k : k + 100]) for k in range(0, len(faces), 100)])


def _scores(client: Any, faces: np.ndarray) -> np.ndarray:
    request = predict_pb2.PredictRequest(inputs={"faces": tf.make_tensor_proto(faces)})
    request.model_spec.name = "emotion"
    (proto,) = client.prediction.Predict(request, timeout=30).outputs.values()
    return tf.make_ndarray(proto)


def compare(saved_model: Any, client: Any, faces: np.ndarray, same_labels: float) -> None:
    """Holds int8 to the SavedModel; ``same_labels`` is the least share of equal labels."""
    (theirs,) = (value.numpy() for value in saved_model(faces=tf.constant(faces)).values())
    ours = embedded_scores(client, faces)
    second, first = np.sort(theirs, axis=1)[:, -2:].T
    clear = first - second > 0.25  # a near tie may fall to either side in int8
    assert clear.mean() > 0.5
    same = theirs.argmax(axis=1) == ours.argmax(axis=1)
    assert same[clear].all()
    assert same.mean() >= same_labels
    assert np.abs(theirs - ours).mean() < 0.015
    assert np.abs(theirs - ours).max() < 0.5


def test_on_drawn_pictures(saved_model: Any, client: Any) -> None:
    # Between classes more often than photographs are: near ties are common.
    compare(saved_model, client, drawn_pictures(), same_labels=0.85)


@pytest.mark.skipif(not FER.is_dir(), reason="no FER2013 pictures in ../shared/data/fer")
def test_on_fer_test_pictures(saved_model: Any, client: Any) -> None:
    compare(saved_model, client, fer_test_pictures(), same_labels=0.985)


def test_the_signature_is_the_same(saved_model: Any, client: Any) -> None:
    request = predict_pb2.PredictRequest(
        inputs={"faces": tf.make_tensor_proto(drawn_pictures()[:1])}
    )
    request.model_spec.name = "emotion"
    outputs = client.prediction.Predict(request, timeout=10).outputs
    assert set(outputs) == set(saved_model.structured_outputs)
    ((_, inputs),) = [saved_model.structured_input_signature]
    assert inputs["faces"].dtype == tf.uint8
    assert inputs["faces"].shape.as_list() == [None, 48, 48, 1]
