"""A model folder of one's own for each test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from running import SHIPPED_MODEL

SHIPPED = SHIPPED_MODEL / "model.tflite"


@pytest.fixture(scope="session")
def tflite() -> bytes:
    """The shipped model.tflite."""
    return SHIPPED.read_bytes()


@pytest.fixture
def models_root(tmp_path: Path) -> Path:
    """A folder ``models`` with version 1 of model ``emotion``."""
    folder = tmp_path / "models/emotion/1"
    folder.mkdir(parents=True)
    shutil.copy(SHIPPED, folder)
    return tmp_path / "models"


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[..., Path]:
    """Writes a models.config for model ``emotion`` with the given extra lines."""

    def write(extra: str = "", base_path: str = "/models/emotion") -> Path:
        file = tmp_path / "models.config"
        file.write_text(
            'model_config_list { config { name: "emotion" '
            f'base_path: "{base_path}" model_platform: "tensorflow" {extra} }} }}'
        )
        return file

    return write
