"""Settings of the detector service."""

import os
from pathlib import Path
from typing import Self

from emotion_serving import GrpcSettings
from pydantic import Field
from pydantic_settings import SettingsConfigDict

_MIB = 1024 * 1024

PACKAGED_MODEL = Path(__file__).parent / "models" / "face_detector.onnx"


class DetectorSettings(GrpcSettings):
    """Settings of the detector: each a flag and an environment variable."""

    model_config = SettingsConfigDict(env_prefix="EMOTION_DETECTOR_")

    port: int = Field(50061, ge=0, le=65535, description="gRPC port; 0 takes a free one")
    max_message_bytes: int = Field(
        64 * _MIB, ge=65536, description="largest message taken or sent: a whole batch"
    )
    model: Path = Field(
        PACKAGED_MODEL, description="ONNX file with YuNet's outputs, 1 or 3 channels"
    )
    processes: int = Field(
        1,
        ge=1,
        le=256,
        description="processes that share the cores and the loaded model; the next ones listen on "
        "the next ports, or on unix_socket with .1, .2 ... behind its name",
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="pictures that a process analyses at once; 0 for its part of the usable cores",
    )
    detection_size: int = Field(
        320, ge=64, le=2048, description="longer side in pixels at which faces are looked for"
    )
    max_image_bytes: int = Field(4 * _MIB, ge=1024, description="largest picture file taken")
    max_image_pixels: int = Field(
        40_000_000, ge=4096, le=400_000_000, description="most pixels of a picture taken"
    )
    max_batch: int = Field(64, ge=1, le=64, description="most pictures of a request")

    @property
    def workers(self) -> int:
        """Number of worker threads of a process."""
        return self.threads or max(1, len(os.sched_getaffinity(0)) // self.processes)

    def of_process(self, k: int) -> Self:
        """The settings of the k-th process, from 0: those of the first with another address."""
        if k == 0:
            return self
        port = self.port + k if self.port else 0
        unix_socket = f"{self.unix_socket}.{k}" if self.unix_socket else ""
        return self.model_copy(update={"port": port, "unix_socket": unix_socket})
