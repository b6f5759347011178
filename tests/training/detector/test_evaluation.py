"""An evaluation in small: every measure runs on drawn pictures and gets into the page."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import jpeg, picture, pictures

from benchmarks.report import END, insert
from training.detector import evaluate, export, network, report, still
from training.detector.conditions import CONDITIONS, is_profile, scene
from training.detector.reference import Detector

_NAMES = ("ours", "YuNet 2023mar")


@pytest.fixture(scope="module")
def model() -> bytes:
    """A detector that has learnt nothing."""
    return export.to_onnx(network.build())


@pytest.fixture(scope="module")
def results(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> evaluate.Results:
    """Of the same detector under two names, so that all must be equal."""
    folder = tmp_path_factory.mktemp("evaluation")
    _clips(folder / "clips")
    file = folder / "detector.onnx"
    file.write_bytes(model)
    found = {name: Detector(model) for name in _NAMES}
    served = {"ours": evaluate.served(file)}
    made, known = pictures(40)
    held_out = evaluate.sets(made, known)
    return {
        "curves": evaluate.curves(found, held_out),
        "face_free": evaluate.face_free(found, served, made),
        "clips": evaluate.clips(found, served, folder),
        "conditions": evaluate.conditions(found, held_out, dict.fromkeys(_NAMES, 0.5), most=2),
        "large": evaluate.large_faces(found, served, held_out["machine"]),
        "chips": {"twice": dict.fromkeys(("faces", "found", "original", "whole", "cut"), 1)},
        "times": evaluate.times(dict.fromkeys(_NAMES, model), rounds=3),
    }


def _clips(folder: Path) -> None:
    """Clips of three frames, and the group picture."""
    folder.mkdir()
    pixels = picture(0)[0]
    for name in (*still.WITH_FACES, *still.WITHOUT_FACES):
        file = folder / "clip.avi"
        writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), 30, (160, 160))
        for _ in range(3):
            writer.write(pixels)
        writer.release()
        file.rename(folder / name)
    (folder / "group_solvay.jpg").write_bytes(jpeg(pixels))


def test_equal_detectors_are_equally_good(results: evaluate.Results) -> None:
    for found in results["curves"].values():
        assert found["ours"] == found["YuNet 2023mar"]
        assert found["ours"]["faces"] > 0
    for size in evaluate.SIZES:
        every, people, machine = (
            results["curves"][f"{key} {size}"]["ours"] for key in ("all", "people", "machine")
        )
        assert every["faces"] == people["faces"] + machine["faces"]
        assert every["pictures"] == people["pictures"] + machine["pictures"]
    for row in results["conditions"].values():
        assert row["recall"]["ours"] == row["recall"]["YuNet 2023mar"]


def test_every_measure_is_in_the_page_and_the_card(results: evaluate.Results) -> None:
    plots = report.svgs(results)
    page = report.markdown(results, list(plots))
    assert len(plots) == 12
    assert all(svg.startswith("<svg") for svg in plots.values())
    assert re.findall(r"^### (.+)$", page, re.MULTILINE) == [
        "Recall at equal false alarms",
        "Pictures without a face",
        "Clips",
        "Conditions",
        "Large faces",
        "Chips",
        "Time",
    ]
    assert all(condition in page for condition in CONDITIONS)
    for table in (page, report.card(results)):
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len(rows) > 8


def test_what_is_written_replaces_what_was_and_nothing_else() -> None:
    document = f"a\n{report.BEGIN}\nold\n{END}\nb"
    written = insert(insert(document, "one", report.BEGIN), "two", report.BEGIN)
    assert written == f"a\n{report.BEGIN}\n\ntwo\n\n{END}\nb"


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_keeps_the_face_where_it_says(condition: str) -> None:
    pixels, boxes, landmarks = picture(5)
    rng = np.random.default_rng(1)
    canvas, face, _ = scene(pixels, boxes[0], landmarks[0], condition, rng)
    assert canvas.shape == (256, 320, 3)
    np.testing.assert_allclose(face[:2] + face[2:] / 2, (160, 128), atol=9)
    assert face[2] == pytest.approx(48, abs=16)


def test_a_nose_beside_the_eyes_is_a_profile() -> None:
    frontal = np.array([[0, 0], [20, 0], [10, 10], [3, 20], [17, 20]], np.float32)
    assert not is_profile(frontal)
    assert is_profile(frontal + np.float32([[0, 0], [0, 0], [-14, 0], [0, 0], [0, 0]]))


def test_a_detector_that_follows_a_shift_does_not_jitter() -> None:
    pixels = picture(2)[0]
    views, shifts = still.still_views(pixels, 5, np.random.default_rng(0))
    boxes = iter([*shifts, *np.zeros((5, 2))])

    def look(_: object, __: float) -> object:
        x, y = next(boxes)
        return evaluate.Faces(
            np.array([[40 + x, 40 + y, 20, 20]], np.float32),
            np.zeros((1, 5, 2), np.float32),
            np.ones(1, np.float32),
        )

    assert still.jitter(look, views, shifts, 0.5) < 0.01
    assert still.jitter(look, views, shifts, 0.5) > 10


def test_a_colour_blind_detector_sees_a_gray_picture(model: bytes) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    gray = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    blind = Detector(model, colour=False)
    np.testing.assert_array_equal(blind.answers(pixels), Detector(model).answers(gray))
