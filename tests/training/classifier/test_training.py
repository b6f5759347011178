"""The whole way in small: train, go on, export, load in both formats."""

from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from training.classifier import data, evaluate, export, train
from training.classifier.network import FER2013, FER_PLUS, SIGNATURES


def drawn_faces(count: int) -> data.Faces:
    """Two classes that anybody can tell apart: mouths that bend up or down."""
    rng = np.random.default_rng(0)
    pixels, kind = np.empty((count, 48, 48), np.uint8), np.arange(count) % 2
    for k in range(count):
        face = np.full((48, 48), 90, np.uint8)
        cv2.circle(face, (24, 24), 20, 180, -1)
        for x in (17, 31):
            cv2.circle(face, (x, 19), 3, 40, -1)
        start = (0, 180) if kind[k] else (180, 360)
        cv2.ellipse(face, (24, 33), (9, 5), 0, *start, 40, 2)
        pixels[k] = np.clip(face + rng.normal(0, 6, face.shape), 0, 255)
    votes = np.zeros((count, 10), np.uint8)
    votes[np.arange(count), kind] = 10
    usage = np.where(np.arange(count) < count - 16, data.TRAINING, data.VALIDATION)
    return data.Faces(
        pixels,
        votes,
        (6 * kind).astype(np.int8),
        usage.astype(np.int8),
        np.ones(count, bool),
        np.arange(count, dtype=np.int32),
        np.zeros(count, bool),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("classifier")
    recipe = train.Recipe(epochs=3, width=0.25, batch_size=16, learning_rate=0.05)
    train.train(drawn_faces(160), recipe, out, verbose=2)
    return out


def test_training_learns(trained: Path) -> None:
    losses = [float(line.split(",")[5]) for line in history(trained)[1:]]
    assert history(trained)[0].split(",")[5] == "loss"
    assert losses[-1] < 0.8 * losses[0]


def test_a_finished_training_is_not_made_again(trained: Path) -> None:
    before = (trained / train.WEIGHTS).stat().st_mtime_ns
    recipe = train.Recipe(epochs=3, width=0.25, batch_size=16, learning_rate=0.05)
    train.train(drawn_faces(160), recipe, trained, verbose=2)
    assert (trained / train.WEIGHTS).stat().st_mtime_ns == before


def test_another_recipe_is_refused(trained: Path) -> None:
    with pytest.raises(ValueError, match="another recipe"):
        train.train(drawn_faces(32), train.Recipe(epochs=9), trained)


def test_both_formats_load_and_agree(trained: Path, tmp_path: Path) -> None:
    faces = drawn_faces(64).pixels
    keras.mixed_precision.set_global_policy("float32")
    export.export(train.load(trained), {FER_PLUS: 1.3, FER2013: 1.0}, faces[:32], tmp_path)
    saved = tf.saved_model.load(str(tmp_path))
    logits = train.load(trained).predict(faces[..., None], verbose=0)
    for signature, head in SIGNATURES.items():
        theirs = saved.signatures[signature](faces=tf.constant(faces[..., None]))
        scores = theirs[export.OUTPUT].numpy()
        temperature = {FER_PLUS: 1.3, FER2013: 1.0}[head]
        expected = tf.nn.softmax(logits[head] / temperature).numpy()
        assert np.abs(scores - expected).max() < 1e-4
        int8 = evaluate.served(tmp_path / "model.tflite", signature)(faces)
        assert np.abs(int8 - scores).mean() < 0.02
        assert (int8.argmax(axis=1) == scores.argmax(axis=1)).mean() > 0.95


def history(out: Path) -> list[str]:
    return (out / "history.csv").read_text().splitlines()
