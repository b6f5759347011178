"""Fixtures of the contract with TensorFlow Serving.

These tests run in an environment of their own, with TensorFlow and the official stubs:
``build/venv-tfserving/bin/python -m pytest tests/contract/tfserving``. The server runs in
build/venv. TensorFlow is imported once, for the whole run.
"""

from collections.abc import Iterator

import grpc
import pytest
from running import RunningService
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc


def pytest_configure(config: pytest.Config) -> None:
    """The repository sets pytest-asyncio's options; that plugin is not needed here."""
    config.addinivalue_line("filterwarnings", "ignore:Unknown config option. asyncio_")


class OfficialClient:
    """The official stubs on a channel to the embedded server."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(channel)


@pytest.fixture(scope="session")
def client() -> Iterator[OfficialClient]:
    """A client of the embedded server with the shipped model and configuration."""
    with (
        RunningService("emotion_classifier") as service,
        grpc.insecure_channel(service.address) as channel,
    ):
        yield OfficialClient(channel)
