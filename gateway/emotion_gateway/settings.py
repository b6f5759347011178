"""The gateway's settings."""

import os
import re

from emotion_serving import GrpcSettings
from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

MESSAGE_ROOM = 64 * 1024
"""Bytes of a message besides its pictures."""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2


class GatewaySettings(GrpcSettings):
    """Streaming gateway of Emotion Recognizer: frames in, labelled faces out."""

    model_config = SettingsConfigDict(env_prefix="EMOTION_GATEWAY_")

    port: int = Field(50051, ge=0, le=65535, description="port of native gRPC; 0 takes a free one")
    websocket_port: int = Field(
        50052, ge=0, le=65535, description="port of gRPC-Web over WebSocket; 0 takes a free one"
    )
    websocket_unix_socket: str = Field(
        "", description="path of a Unix socket in place of websocket_port; empty for none"
    )
    metrics_port: int = Field(
        0, ge=0, le=65535, description="port of /metrics, for Prometheus; 0 for none"
    )
    detector: str = Field(
        "127.0.0.1:50061",
        pattern=r"\S",
        description="address of the face detector, unix:/its/path for a Unix socket; of several "
        "with spaces between, the least busy one is asked",
    )
    classifier: str = Field(
        "127.0.0.1:8500",
        description="address of TensorFlow Serving or the embedded classifier",
    )
    model: str = Field("emotion", description="name of the classifier's model")
    model_label: str = Field(
        "", description="label of the model's version to ask for; empty for the newest version"
    )
    detector_deadline_seconds: float = Field(
        2.0, gt=0, le=60, description="how long the detector may take for one batch"
    )
    classifier_deadline_seconds: float = Field(
        1.0, gt=0, le=60, description="how long the classifier may take for one batch"
    )
    detector_concurrency: int = Field(
        _cores(), ge=1, le=256, description="batches at the detector at once: its number of cores"
    )
    search_seconds: float = Field(
        0.15,
        ge=0,
        le=10,
        description="how often to look for new faces, a third longer while frames are dropped; "
        "between, only around known ones. 0 looks everywhere in every frame",
    )
    max_batch: int = Field(16, ge=1, le=64, description="most frames of a batch")
    max_sessions: int = Field(
        512, ge=1, description="streams and calls served at once; more are refused"
    )
    max_image_bytes: int = Field(4 * 1024 * 1024, ge=1, description="largest picture taken")
    max_backlog: int = Field(
        64, ge=2, description="unread replies after which no more frames are read from a client"
    )
    write_seconds: float = Field(
        20.0, gt=0, le=600, description="how long a client may leave a reply unread"
    )
    allowed_origins: str = Field(
        r"https?://(localhost|127\.0\.0\.1)(:\d+)?",
        description="regular expression for origins of pages on other hosts that may connect",
    )

    @field_validator("max_image_bytes")
    @classmethod
    def _fits_a_message(cls, value: int, info: ValidationInfo) -> int:
        most = info.data.get("max_message_bytes", value + MESSAGE_ROOM) - MESSAGE_ROOM
        if value > most:
            raise ValueError(f"expected at most {most}, {MESSAGE_ROOM} less than max_message_bytes")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _is_regular_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value
