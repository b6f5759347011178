"""The command line: what it hands to the training, and what it says of bad input."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.classifier import __main__ as command
from training.classifier import data, teachers, train
from training.classifier.network import build, ordered_weights
from training.folder import newest_version

_VERSION = newest_version()


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What ``train.train`` is called with; it only claims its folder."""
    calls: list[dict[str, Any]] = []

    def claim_only(
        _: object,
        recipe: train.Recipe,
        out: Path,
        teachers: object = (),
        start: object = (),
        verbose: object = "auto",
    ) -> None:
        train.claim(out, recipe)
        calls.append({"recipe": recipe, "teachers": teachers, "start": start, "verbose": verbose})

    monkeypatch.setattr(train, "train", claim_only)
    monkeypatch.setattr(data, "load", lambda _: None)
    return calls


@pytest.mark.parametrize(
    ("given", "verbose"), [([], "auto"), (["--verbose", "2"], 2), (["--verbose", "0"], 0)]
)
def test_verbose_is_a_number_where_one_is_given(
    given: list[str], verbose: int | str, trainings: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert command.main(["train", "--out", str(tmp_path), *given]) == 0
    assert trainings[0]["verbose"] == verbose
    assert type(trainings[0]["verbose"]) is type(verbose)


@pytest.mark.parametrize("given", ["3", "much"])
def test_other_verbosities_are_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["train", "--verbose", given])
    assert "argument --verbose: invalid" in capsys.readouterr().err


def test_a_training_starts_from_fresh_weights_unless_told_otherwise(
    trainings: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert command.main(["train", "--out", str(tmp_path)]) == 0
    assert trainings[0]["recipe"] == train.Recipe()
    assert len(trainings[0]["start"]) == 0


def test_the_start_is_recorded_and_fits_the_network(
    trainings: list[dict[str, Any]], tmp_path: Path
) -> None:
    assert command.main(["train", "--out", str(tmp_path), "--start", str(_VERSION)]) == 0
    assert json.loads((tmp_path / "recipe.json").read_text())["start"] == _VERSION.name
    network, start = build(), trainings[0]["start"]
    train.set_weights(network, start)
    for weight, value in zip(ordered_weights(network), start, strict=False):
        assert np.array_equal(weight.numpy(), value)


def test_a_training_that_others_taught_is_not_gone_on_with(
    trainings: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taught = ["train", "--out", str(tmp_path), "--teacher", str(_VERSION)]
    assert command.main(taught) == 0
    assert trainings[0]["recipe"].teachers == (f"emotion/{_VERSION.name}",)
    (teacher,) = trainings[0]["teachers"]
    answers = teacher(np.zeros((2, 48, 48, 1), np.uint8))
    assert {head: scores.shape for head, scores in answers.items()} == {
        "ferplus": (2, 8),
        "fer2013": (2, 7),
    }
    assert command.main(taught) == 0
    assert command.main(taught[:3]) == 2
    assert "another recipe" in capsys.readouterr().err


def test_a_teacher_says_the_same_of_a_face_and_its_mirror_image() -> None:
    faces = np.random.default_rng(1).integers(0, 256, (3, 48, 48, 1), np.uint8)
    teach = teachers.teacher(train.load(_VERSION))
    plain, mirrored = teach(faces), teach(faces[:, :, ::-1])
    for head, scores in plain.items():
        np.testing.assert_allclose(scores, mirrored[head], atol=1e-5)
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
        assert np.ptp(scores, axis=0).max() > 0.01


def test_networks_that_teach_are_recorded_by_their_folder(
    trainings: list[dict[str, Any]], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        train.claim(tmp_path / name, train.Recipe(width=0.25))
        build(0.25).save_weights(tmp_path / name / train.WEIGHTS)
    named = [f"--teacher={tmp_path / name}" for name in ("one", "two")]
    assert command.main(["train", "--out", str(tmp_path / "out"), *named]) == 0
    assert trainings[0]["recipe"].teachers == tuple(
        f"{tmp_path.name}/{name}" for name in ("one", "two")
    )
    assert len(trainings[0]["teachers"]) == 2


@pytest.mark.parametrize("flag", ["--start", "--teacher"])
def test_what_is_not_there_is_named(
    flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["train", "--out", str(tmp_path), flag, str(tmp_path / "absent")]) == 2
    assert "absent" in capsys.readouterr().err
