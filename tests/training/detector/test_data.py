"""The data folder: what is read, what is held out, and what is said when it is damaged."""

from pathlib import Path

import pytest
from drawn import data_folder

from training.detector import data
from training.detector.__main__ import main
from training.folder import DataError


def test_boxes_tags_and_kinds_are_read(tmp_path: Path) -> None:
    pictures = data.load(data_folder(tmp_path))
    assert [p.face_free for p in pictures[:6]] == [True, False] * 3
    assert all(len(p.boxes) == (not p.face_free) for p in pictures[:6])
    people = pictures[6]
    assert people.people
    assert people.held_out  # all of dlib's pictures are
    assert people.tags == ("face",)
    assert len(people.boxes) == len(people.unsure) == 1
    assert people.colour().shape == (160, 160, 3)
    assert people.colour().shape == (160, 160, 3)


def test_what_is_held_out_depends_on_the_name_alone() -> None:
    names = [f"scenes/{number}.jpg" for number in range(4000)]
    scenes = [data.held_out(name, "any", face_free=False) for name in names]
    assert scenes == [data.held_out(name, "other", face_free=False) for name in names]
    assert 0.09 < sum(scenes) / len(scenes) < 0.15
    assert not any(data.held_out(name, "portrait", face_free=False) for name in names)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("scenes/index.json", b""),
        ("scenes/index.json", b"[{]"),
        ("scenes/index.json", b'[{"zip": "scenes_00.zip"}]'),
        ("scenes/scenes_00.zip", b"no zip"),
        ("faces/annotations.json", b"{}"),
        ("faces/images/99.jpg", b""),
    ],
)
def test_a_damaged_file_is_an_error_that_names_its_folder(
    tmp_path: Path, file: str, content: bytes
) -> None:
    folder = data_folder(tmp_path)
    (folder / file).write_bytes(content)
    with pytest.raises(DataError, match=f"{tmp_path}/{Path(file).parts[0]}"):
        data.load(folder)


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    folder = data_folder(tmp_path)
    (folder / "faces/images/99.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"99\.jpg"):
        data.load(folder)[-1].colour()


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_commands_say_what_is_missing_and_exit_2(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--data", str(tmp_path / "away"), "--out", str(tmp_path / "out")]
    assert main([command, *folders]) == 2
    assert "away" in capsys.readouterr().err


def test_an_export_without_a_training_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--out", str(tmp_path)]) == 2
    assert "no finished training" in capsys.readouterr().err
