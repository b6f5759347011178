"""The command line: what it hands to the training."""

from pathlib import Path
from typing import Any

import pytest

from training.detector import __main__ as command
from training.detector import data, labels, reference, train


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What ``train.train`` is called with."""
    calls: list[dict[str, Any]] = []

    def note(
        _pictures: object,
        _known: object,
        recipe: train.Recipe,
        _out: Path,
        teacher: object,
        start: bytes,
        verbose: object,
    ) -> None:
        calls.append({"recipe": recipe, "teacher": teacher, "start": start, "verbose": verbose})

    monkeypatch.setattr(data, "load", lambda _: [])
    monkeypatch.setattr(labels, "make", lambda *_: [])
    monkeypatch.setattr(reference, "free_size", lambda file: file)
    monkeypatch.setattr(reference, "Detector", lambda file: file.name)
    monkeypatch.setattr(train, "train", note)
    return calls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder."""
    (tmp_path / "data/reference-models").mkdir(parents=True)
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("given", "verbose"), [([], "auto"), (["--verbose", "2"], 2), (["--verbose", "auto"], "auto")]
)
def test_verbose_is_a_number_where_one_is_given(
    given: list[str],
    verbose: int | str,
    trainings: list[dict[str, Any]],
    folder: Path,
    tmp_path: Path,
) -> None:
    assert command.main(["train", "--data", str(folder), "--out", str(tmp_path), *given]) == 0
    assert trainings[0]["verbose"] == verbose


def test_start_and_teacher_are_recorded(
    trainings: list[dict[str, Any]], folder: Path, tmp_path: Path
) -> None:
    start = tmp_path / "before.onnx"
    start.write_bytes(b"weights")
    named = ["train", "--data", str(folder), "--out", str(tmp_path)]
    assert command.main([*named, "--start", str(start)]) == 0
    assert trainings[0]["recipe"] == train.Recipe(
        teacher="yunet_n_640_640.onnx", start="before.onnx"
    )
    assert trainings[0]["teacher"] == "yunet_n_640_640.onnx"
    assert trainings[0]["start"] == b"weights"
    assert command.main(named) == 0
    assert (trainings[1]["recipe"].start, trainings[1]["start"]) == ("", b"")


def test_a_start_that_is_not_there_is_named(
    trainings: list[dict[str, Any]],
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = ["train", "--data", str(folder), "--out", str(tmp_path)]
    assert command.main([*named, "--start", str(tmp_path / "absent.onnx")]) == 2
    assert "absent.onnx" in capsys.readouterr().err
    assert not trainings


def test_an_interrupted_training_says_that_it_can_go_on(
    trainings: list[dict[str, Any]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", interrupt)
    assert command.main(["train", "--data", str(folder)]) == 130
    assert "a training goes on" in capsys.readouterr().err
    assert trainings == []
