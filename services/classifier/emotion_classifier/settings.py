"""Settings of the embedded classifier."""

import os
from pathlib import Path

from emotion_serving import GrpcSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict

_CHECKOUT = Path(__file__).resolve().parent.parent
_IMAGE_MODELS = Path("/models")


def _in_checkout(path: str, otherwise: Path) -> Path:
    """``path`` beside the package when that is a checkout, else where an image has it."""
    return _CHECKOUT / path if (_CHECKOUT / "tfserving").is_dir() else otherwise


class ClassifierSettings(GrpcSettings):
    """Flags and, with the prefix ``EMOTION_CLASSIFIER_``, environment variables."""

    model_config = SettingsConfigDict(env_prefix="EMOTION_CLASSIFIER_", protected_namespaces=())

    port: int = Field(8500, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    model_config_file: Path = Field(
        _in_checkout("tfserving/models.config", _IMAGE_MODELS / "models.config"),
        description="TensorFlow Serving's model_config_file (ModelServerConfig, text format)",
    )
    models_root: Path = Field(
        _in_checkout("models", _IMAGE_MODELS),
        description="folder that stands for the leading /models of each base_path",
    )
    threads: int = Field(
        0, ge=0, le=256, description="threads that run models; 0 means one a usable core"
    )
    poll_seconds: float = Field(
        1.0, gt=0, le=3600, description="how often model folders are looked at for versions"
    )
    max_batch_faces: int = Field(
        256, ge=1, le=65536, description="largest first dimension of a Predict input"
    )

    @property
    def worker_threads(self) -> int:
        """``threads``, with 0 replaced by the number of cores this process may use."""
        return self.threads or len(os.sched_getaffinity(0))
