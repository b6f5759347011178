"""A detector and a classifier as real gRPC servers that do as they are told."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from emotion.detector.v1 import detector_pb2
from emotion.tfserving import serving_pb2, tensor_pb2
from running import free_port
from unit.gateway.pictures import answer, scores


class Backend(ABC):
    """One method of one service, also as a stream, on a port that outlives stops and starts.

    Attributes:
        delay_seconds: how long each call takes.
        wrong_answer: bytes to answer with in place of the truth.
        calls: how many calls came.
    """

    def __init__(self, service: str, method: str) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.delay_seconds = 0.0
        self.wrong_answer: bytes | None = None
        self.calls = 0
        self._hang = threading.Event()
        self._service, self._method = service, method
        self._server: grpc.Server | None = None

    def start(self) -> "Backend":
        """Opens the port."""
        server = grpc.server(
            ThreadPoolExecutor(8),
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", 16 << 20),
                ("grpc.max_send_message_length", 16 << 20),
            ],
        )
        handlers = {
            self._method: grpc.unary_unary_rpc_method_handler(self._call),
            f"{self._method}Stream": grpc.stream_stream_rpc_method_handler(self._stream),
        }
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(self._service, handlers),)
        )
        server.add_insecure_port(self.address)
        server.start()
        self._server = server
        return self

    def stop(self) -> None:
        """Closes the port and breaks the calls that are running."""
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def hang(self, hanging: bool) -> None:
        """Lets calls hang until told otherwise."""
        if hanging:
            self._hang.set()
        else:
            self._hang.clear()

    def behave(self) -> None:
        """Forgets every fault, and starts if stopped."""
        self.delay_seconds, self.wrong_answer = 0.0, None
        self.hang(False)
        if self._server is None:
            self.start()

    def _call(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.calls += 1
        time.sleep(self.delay_seconds)
        while self._hang.is_set() and context.is_active():
            time.sleep(0.01)
        return self.wrong_answer if self.wrong_answer is not None else self.answer(request)

    def _stream(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for request in requests:
            yield self._call(request, context)

    @abstractmethod
    def answer(self, request: bytes) -> bytes:
        """The true answer."""


class Detector(Backend):
    """Finds the face that a picture says it has."""

    def __init__(self) -> None:
        super().__init__("emotion.detector.v1.FaceDetectorService", "Detect")

    def answer(self, request: bytes) -> bytes:
        images = detector_pb2.DetectRequest.FromString(request).images
        return detector_pb2.DetectResponse(
            detections=[answer(image) for image in images]
        ).SerializeToString()


class Classifier(Backend):
    """Scores chips by their gray."""

    def __init__(self) -> None:
        super().__init__("tensorflow.serving.PredictionService", "Predict")

    def answer(self, request: bytes) -> bytes:
        chips = serving_pb2.PredictRequest.FromString(request).inputs["faces"].tensor_content
        rows = scores(*chips[:: 48 * 48])
        tensor = tensor_pb2.TensorProto(dtype=tensor_pb2.DT_FLOAT, float_val=rows.ravel().tolist())
        for size in rows.shape:
            tensor.tensor_shape.dim.add(size=size)
        return serving_pb2.PredictResponse(outputs={"probabilities": tensor}).SerializeToString()
