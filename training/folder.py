"""The folders of the training data and of the served classifier; what is said of damaged data."""

import os
from pathlib import Path

ENVIRONMENT_VARIABLE = "EMOTION_DATA"
_ROOT = Path(__file__).resolve().parents[1]
DEFAULT = _ROOT.parent / "shared/data"
_CLASSIFIERS = _ROOT / "services/classifier/models/emotion"


class DataError(Exception):
    """Data is missing or damaged; the message tells what was expected and where."""


def default_folder() -> Path:
    """``EMOTION_DATA``, else ``shared/data`` beside the checkout."""
    return Path(os.environ.get(ENVIRONMENT_VARIABLE, DEFAULT))


def newest_version() -> Path:
    """The folder of the classifier's version that the repository serves."""
    versions = [file for file in _CLASSIFIERS.iterdir() if file.name.isdigit()]
    return max(versions, key=lambda file: int(file.name))


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
