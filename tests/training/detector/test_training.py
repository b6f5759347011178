"""A training in small: the loss falls, the export agrees, the service takes it."""

from dataclasses import replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from drawn import picture, pictures
from emotion_detector.boxes import decode, suppress
from emotion_detector.detector import FaceDetector
from emotion_detector.network import Network
from emotion_detector.picture import Limits

from training.detector import calibrate, export, network, start, targets, train
from training.detector.reference import Detector, session

_RECIPE = train.Recipe(epochs=2, steps=16, batch_size=8, size=64, mine_at=(0.5,))
_ROOT = Path(__file__).resolve().parents[3]
_PACKAGED = _ROOT / "services/detector/emotion_detector/models/face_detector.onnx"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small training."""
    out = tmp_path_factory.mktemp("training")
    train.train(*pictures(20), _RECIPE, out, verbose=0)
    return out


def test_the_loss_falls(trained: Path) -> None:
    rows = (trained / "history.csv").read_text().split()
    column = rows[0].split(",").index("loss")
    first, last = (float(row.split(",")[column]) for row in (rows[1], rows[-1]))
    assert len(rows) == 3
    assert last < 0.9 * first


def test_false_alarms_are_remembered(trained: Path) -> None:
    assert (trained / "hard.json").exists()


def test_a_finished_training_is_not_repeated_and_no_other_takes_its_place(trained: Path) -> None:
    before = (trained / "weights.weights.h5").read_bytes()
    train.train(*pictures(20), _RECIPE, trained, verbose=0)
    assert (trained / "weights.weights.h5").read_bytes() == before
    with pytest.raises(ValueError, match="another recipe"):
        train.train(*pictures(20), replace(_RECIPE, seed=2), trained, verbose=0)


def test_the_export_answers_as_keras_does(trained: Path) -> None:
    model = train.load(trained)
    rng = np.random.default_rng(0)
    canvases = rng.integers(0, 256, (2, 64, 96, 3)).astype(np.float32)
    answers = np.asarray(keras.ops.convert_to_numpy(model(canvases)))
    runtime = session(export.to_onnx(model))
    values = runtime.run(None, {"input": canvases.transpose(0, 3, 1, 2)})
    outputs = {o.name: v for o, v in zip(runtime.get_outputs(), values, strict=True)}
    for row in range(2):
        for stride, level in zip(
            network.STRIDES, targets.levels(answers[row], 96, 64), strict=True
        ):
            for part, value in zip(("cls", "obj", "bbox", "kps"), level, strict=True):
                np.testing.assert_allclose(outputs[f"{part}_{stride}"][row], value, atol=2e-4)


def test_a_training_may_start_from_an_export(trained: Path) -> None:
    before, rng = train.load(trained), np.random.default_rng(0)
    canvases = rng.integers(0, 256, (8, 64, 64, 3)).astype(np.uint8)
    after = network.build()
    start.set_weights(after, export.to_onnx(before), canvases)
    expected, answers = (
        np.asarray(model.predict(canvases, verbose=0)) for model in (before, after)
    )
    np.testing.assert_allclose(answers, expected, atol=2e-3)
    # As training sees it, too: the statistics are those of the canvases.
    while_training = np.asarray(keras.ops.convert_to_numpy(after(canvases, training=True)))
    assert np.abs(while_training - expected).mean() < 0.2 * np.abs(expected).mean()


def test_another_network_is_no_start(trained: Path) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3)])
    with pytest.raises(ValueError, match="convolutions, expected 1"):
        start.set_weights(model, export.to_onnx(train.load(trained)), np.zeros((1, 8, 8, 3)))


def test_training_begins_where_the_start_ended(trained: Path, tmp_path: Path) -> None:
    before = export.to_onnx(train.load(trained))
    recipe = replace(_RECIPE, epochs=1, steps=1, learning_rate=0.0, start="before")
    train.train(*pictures(20), recipe, tmp_path, start=before, verbose=0)
    started = network.build()
    start.set_weights(started, before, np.zeros((1, 64, 64, 3), np.uint8))
    for one, other in zip(started.layers, train.load(tmp_path).layers, strict=True):
        if hasattr(one, "kernel"):
            np.testing.assert_array_equal(other.kernel.numpy(), one.kernel.numpy())


def test_a_teacher_is_asked_on_every_canvas(trained: Path, tmp_path: Path) -> None:
    before = export.to_onnx(train.load(trained))
    teacher, asked = Detector(before), []
    answers = teacher.answers
    teacher.answers = lambda pixels: asked.append(pixels.shape) or answers(pixels)
    recipe = replace(_RECIPE, epochs=1, teacher="one", start="two")
    train.train(*pictures(20), recipe, tmp_path / "out", teacher, before, verbose=0)
    assert len(asked) >= recipe.steps * recipe.batch_size
    assert set(asked) == {(64, 64, 3)}
    rows = (tmp_path / "out/history.csv").read_text().split()
    assert np.isfinite([float(value) for value in rows[1].split(",")]).all()


def test_the_service_runs_the_export(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "detector.onnx"
    file.write_bytes(export.to_onnx(train.load(trained)))
    detector = FaceDetector(Network(file, 160), Limits())
    pixels, _, _ = picture(1)
    assert detector.find(pixels, 0.05).boxes.shape[1] == 4


def test_shifted_scores_keep_their_order_and_the_boxes(trained: Path) -> None:
    model = export.to_onnx(train.load(trained))
    pixels, _, _ = picture(1)
    before = Detector(model).candidates(pixels, 0.0)
    middle = float(np.median(before.scores))
    after = Detector(export.with_scores_shifted(model, middle)).candidates(pixels, 0.0)
    np.testing.assert_allclose(after.boxes, before.boxes, atol=1e-3)
    near = np.abs(before.scores - middle).argmin()
    assert after.scores[near] == pytest.approx(0.5, abs=0.05)
    assert (after.scores >= before.scores).all() or (after.scores <= before.scores).all()


def test_calibration_allows_few_false_alarms(trained: Path) -> None:
    made, known = pictures(20)
    model = export.to_onnx(train.load(trained))
    score = calibrate.score_at_alarms(model, made, known)
    assert 0.05 <= score <= 0.95


def test_scores_above_which_a_share_of_pictures_lies() -> None:
    scores = [0.2, 0.9, 0.4, 0.6]
    for share, expected in ((0.2, 0.9), (0.3, 0.75), (0.4, 0.6), (0.8, 0.2), (0.01, 0.9), (1, 0.2)):
        assert calibrate.above(scores, share) == pytest.approx(expected)
    assert calibrate.above([], 0.5) == 0


def test_the_network_is_small() -> None:
    assert network.build().count_params() <= 100_000


def test_opencv_finds_the_same_face_with_the_packaged_weights() -> None:
    """In the page's screenshot, which shows a portrait."""
    shot = cv2.imread(str(_ROOT / "docs/screenshot.jpg"))
    shot = cv2.resize(shot, (640, 640 * shot.shape[0] // shot.shape[1] // 32 * 32))
    opencv = cv2.FaceDetectorYN.create(str(_PACKAGED), "", shot.shape[1::-1], 0.6, 0.3, 100)
    _, rows = opencv.detect(shot)
    own = suppress(Detector(_PACKAGED.read_bytes()).candidates(shot, 0.6))
    assert len(rows) >= 1
    best = rows[rows[:, 14].argmax()]
    np.testing.assert_allclose(best[:4], own.boxes[0], atol=0.5)
    np.testing.assert_allclose(best[4:14], own.landmarks[0].reshape(-1), atol=0.5)
    np.testing.assert_allclose(best[14], own.scores[0], atol=0.01)


def test_extreme_answers_decode_to_finite_boxes() -> None:
    answers = np.full((64 + 16 + 4, network.ANSWERS), 4.0, np.float32)
    found = decode(targets.levels(answers, 64, 64), 64, 0.5)
    assert np.isfinite(found.boxes).all()
