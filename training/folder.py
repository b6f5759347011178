"""The folder with the data for training: where it is, what is said when it is damaged."""

import os
from pathlib import Path

ENVIRONMENT_VARIABLE = "EMOTION_DATA"
DEFAULT = Path(__file__).resolve().parents[2] / "shared/data"


class DataError(Exception):
    """Data is missing or damaged; the message tells what was expected and where."""


def default_folder() -> Path:
    """``EMOTION_DATA``, else ``shared/data`` beside the checkout."""
    return Path(os.environ.get(ENVIRONMENT_VARIABLE, DEFAULT))


def subfolder(data: Path, name: str) -> Path:
    """``data / name``.

    Raises:
        DataError: there is no such folder.
    """
    folder = data / name
    if not folder.is_dir():
        raise DataError(
            f"no folder {folder}; expected the training data there. Name its place with --data "
            f"or {ENVIRONMENT_VARIABLE}; training/README.md tells what must be in it"
        )
    return folder


def file_bytes(file: Path) -> bytes:
    """The content of a file of the data folder.

    Raises:
        DataError: it is missing, unreadable or empty.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}") from error
    if not content:
        raise DataError(f"{file} is empty; fetch the data folder anew")
    return content
