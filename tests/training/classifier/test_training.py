"""The whole way in small: train, go on, export, load in both formats."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf

from training import litert
from training.classifier import data, evaluate, export, report, train
from training.classifier.network import FER2013, FER_PLUS, SIGNATURES, build, ordered_weights

TEMPERATURES = {FER_PLUS: 1.3, FER2013: 0.8}


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


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    version = tmp_path_factory.mktemp("emotion") / "2"
    export.export(train.load(trained), TEMPERATURES, drawn_faces(32).pixels, version)
    return version


def test_both_formats_load_and_agree(trained: Path, exported: Path) -> None:
    faces = drawn_faces(64).pixels
    saved = tf.saved_model.load(str(exported))
    logits = train.load(trained).predict(faces[..., None], verbose=0)
    for signature, head in SIGNATURES.items():
        theirs = saved.signatures[signature](faces=tf.constant(faces[..., None]))
        scores = theirs[export.OUTPUT].numpy()
        expected = tf.nn.softmax(logits[head] / TEMPERATURES[head]).numpy()
        assert np.abs(scores - expected).max() < 1e-4
        int8 = litert.classifier(exported / "model.tflite", signature)(faces)
        assert np.abs(int8 - scores).mean() < 0.02
        assert (int8.argmax(axis=1) == scores.argmax(axis=1)).mean() > 0.95


def test_a_served_version_has_all_weights_the_last_ones_divided(
    trained: Path, exported: Path
) -> None:
    expected = [weight.numpy() for weight in ordered_weights(train.load(trained))]
    stored = train.served_weights(exported)
    assert len(stored) == len(expected)
    for value, weight in zip(stored[:-4], expected[:-4], strict=True):
        assert np.array_equal(value, weight)
    temperatures = np.repeat([TEMPERATURES[head] for head in SIGNATURES.values()], 2)
    for value, weight, temperature in zip(stored[-4:], expected[-4:], temperatures, strict=True):
        assert np.allclose(value, weight / temperature, rtol=1e-6)


def test_a_version_is_measured_on_the_test_split(exported: Path) -> None:
    faces = drawn_faces(48)
    seen = np.arange(48) < 16
    faces = replace(faces, usage=np.full(48, data.TEST, np.int8), seen=seen)
    found = evaluate.measure(faces, exported / "model.tflite")
    assert found.clear.faces == found.mirrored.faces == 32
    assert found.seven is not None
    assert found.seven.faces == 48
    assert found.seven_unseen is not None
    assert found.seven_unseen.faces == 32
    assert found.conditions["as it is"] == found.clear.accuracy
    assert "all test faces | 48 |" in report.markdown(found, "2", list(report.svgs(found)))


def test_a_training_starts_from_the_weights_it_is_given(trained: Path, tmp_path: Path) -> None:
    start = [weight.numpy() for weight in ordered_weights(train.load(trained))]
    recipe = train.Recipe(epochs=1, width=0.25, batch_size=16, learning_rate=1e-9, start="it")
    train.train(drawn_faces(160), recipe, tmp_path, start=start, verbose=2)
    kernels = [(k, value) for k, value in enumerate(start) if value.ndim == 4]
    went_on = [weight.numpy() for weight in ordered_weights(train.load(tmp_path))]
    assert all(np.allclose(value, went_on[k], atol=1e-4) for k, value in kernels)


def test_weights_of_another_network_are_refused() -> None:
    start = [weight.numpy() for weight in ordered_weights(build(0.25))]
    with pytest.raises(ValueError, match=r"weights of another network: \(3, 3, 1, 8\)"):
        train.set_weights(build(0.5), start)
    with pytest.raises(ValueError, match=r"weights of another network: .* at most"):
        train.set_weights(build(0.25), [*start, start[-1]])


def test_weights_of_one_head_leave_the_other_as_it_is() -> None:
    network, start = build(0.25), [weight.numpy() for weight in ordered_weights(build(0.25))]
    before = network.get_layer(FER2013).get_weights()
    train.set_weights(network, start[:-2])
    assert np.array_equal(network.get_layer(FER_PLUS).get_weights()[0], start[-4])
    assert np.array_equal(network.get_layer(FER2013).get_weights()[0], before[0])


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no weights in"):
        train.served_weights(tmp_path)


def history(out: Path) -> list[str]:
    return (out / "history.csv").read_text().splitlines()
