"""FER2013 and FER+: what is loaded, left out, and said of a damaged folder."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.classifier import data
from training.folder import DataError


def write_folder(folder: Path, rows: int = 80) -> None:
    """A data folder of noise in the real files' form; rows 0 and 79 are the same picture."""
    rng = np.random.default_rng(0)
    (folder / "fer").mkdir()
    mosaic = rng.integers(0, 256, (2 * 48, 40 * 48), dtype=np.uint8)
    cv2.imwrite(str(folder / "fer/fer2013_00.webp"), mosaic, [cv2.IMWRITE_WEBP_QUALITY, 101])
    votes = np.zeros((rows, 10), np.uint8)
    votes[np.arange(rows), np.arange(rows) % 8] = 10
    usage = np.zeros(rows, np.int8)
    usage[-16:-8], usage[-8:] = data.VALIDATION, data.TEST
    group = np.arange(rows, dtype=np.int32)
    group[-1] = group[0]
    np.savez(
        folder / "fer/labels.npz",
        ferplus_votes=votes,
        emotion=(np.arange(rows) % 7).astype(np.int8),
        usage=usage,
        exact_pixels=np.arange(rows) != 1,
        dup_group=group,
        seen_in_training=np.zeros(rows, np.uint8),
    )


def test_tiles_are_read_row_by_row(tmp_path: Path) -> None:
    write_folder(tmp_path)
    faces = data.load(tmp_path)
    mosaic = cv2.imread(str(tmp_path / "fer/fer2013_00.webp"), cv2.IMREAD_GRAYSCALE)
    assert faces.pixels.shape == (80, 48, 48)
    assert np.array_equal(faces.pixels[41], mosaic[48:, 48:96])


def test_training_never_sees_a_picture_of_another_split(tmp_path: Path) -> None:
    write_folder(tmp_path)
    faces = data.load(tmp_path)
    rows = data.training_rows(faces)
    assert not rows[0]  # the same picture is in the test split
    assert not rows[1]  # its pixels are not exact
    assert rows[2:64].all()
    held_out = data.validation_rows(faces)
    assert np.flatnonzero(held_out).tolist() == [68]
    assert np.flatnonzero(~rows[64:72]).tolist() == [4]  # the rest of the validation split
    assert not rows[72:].any()


def test_a_copy_of_a_held_out_picture_is_not_trained_on(tmp_path: Path) -> None:
    write_folder(tmp_path)
    faces = data.load(tmp_path)
    faces.group[10] = faces.group[68]
    assert not data.training_rows(faces)[10]
    assert data.validation_rows(faces)[68]
    assert not data.validation_rows(faces)[10]


def test_a_copy_of_a_tested_picture_is_neither_trained_on_nor_chosen_by(tmp_path: Path) -> None:
    write_folder(tmp_path)
    faces = data.load(tmp_path)
    faces.group[[64, 68]] = faces.group[75]
    assert not data.training_rows(faces)[64]
    assert not data.validation_rows(faces).any()


@pytest.mark.parametrize(
    ("votes", "majority"),
    [
        ((10, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0),
        ((5, 4, 1, 0, 0, 0, 0, 0, 0, 0), 0),  # the single vote is dropped: 5 of 9
        ((5, 5, 0, 0, 0, 0, 0, 0, 0, 0), -1),
        ((4, 2, 2, 2, 0, 0, 0, 0, 0, 0), -1),
        ((2, 0, 0, 0, 0, 0, 0, 0, 8, 0), -1),  # unknown
        ((0, 0, 0, 0, 0, 0, 0, 3, 0, 7), -1),  # not a face
    ],
)
def test_majority(votes: tuple[int, ...], majority: int) -> None:
    assert data.fer_plus_majority(np.array([votes], np.uint8)) == [majority]


def test_distributions_leave_out_single_votes_and_what_is_unknown() -> None:
    votes = np.array([(6, 3, 1, 0, 0, 0, 0, 0, 0, 0), (3, 0, 0, 0, 0, 0, 0, 0, 7, 0)], np.uint8)
    distributions = data.fer_plus_distributions(votes)
    assert distributions[0] == pytest.approx([2 / 3, 1 / 3, 0, 0, 0, 0, 0, 0])
    assert not distributions[1].any()


def test_near_copies_count_as_seen(tmp_path: Path) -> None:
    write_folder(tmp_path)
    file = str(tmp_path / "fer/fer2013_00.webp")
    mosaic = cv2.imread(file, cv2.IMREAD_GRAYSCALE)
    validation, tested = ((slice(48, 96), slice(48 * k, 48 * (k + 1))) for k in (25, 35))
    mosaic[tested] = (0.5 * mosaic[validation] + 30).astype(np.uint8)
    cv2.imwrite(file, mosaic, [cv2.IMWRITE_WEBP_QUALITY, 101])
    assert np.flatnonzero(data.load(tmp_path).seen).tolist() == [75]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*fer; expected"):
        data.load(tmp_path)


def test_a_damaged_mosaic_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "fer/fer2013_00.webp").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"fer2013_00.webp is damaged"):
        data.load(tmp_path)


def test_damaged_labels_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "fer/labels.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"labels.npz is damaged"):
        data.load(tmp_path)
