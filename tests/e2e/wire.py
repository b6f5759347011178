"""Listens to what a page really sends and gets, whichever way it goes."""

import struct
from dataclasses import dataclass, field

import cv2
import numpy as np
from clips import HEIGHT, WIDTH, Box, Clip, overlap, read_numbers
from emotion.v1 import emotion_pb2
from playwright.sync_api import Page, Request, WebSocket

_SERVICE = "/emotion.v1.EmotionService/"


@dataclass
class Answer:
    """One frame that the page sent, and the reply to it."""

    clip: Clip
    frame: int
    recognition: emotion_pb2.Recognition
    transport: str

    @property
    def overlap(self) -> float:
        """IoU of the best box with where the face is known to be; 0 without a box."""
        face = self.clip.face(self.frame)
        assert face is not None
        return max(
            (overlap(pixels(found.box), face) for found in self.recognition.faces), default=0
        )


@dataclass
class Wire:
    """All frames and replies of a page, from the moment it is made."""

    page: Page
    answers: list[Answer] = field(default_factory=list)
    dropped: int = 0
    errors: list[emotion_pb2.FrameError] = field(default_factory=list)
    unary_errors: int = 0
    unnumbered: int = 0
    """Frames that show no clip: what a video shows before its first picture."""

    def __post_init__(self) -> None:
        self.page.on("websocket", self._on_websocket)
        self.page.on("requestfinished", self._on_request)

    def _on_websocket(self, socket: WebSocket) -> None:
        sent: dict[int, tuple[Clip, int] | None] = {}

        def on_sent(payload: bytes | str) -> None:
            assert isinstance(payload, bytes)
            if payload[:1] != b"\0":
                return
            for data in _messages(payload[1:]):
                request = emotion_pb2.StreamRecognizeRequest.FromString(data)
                if request.HasField("frame"):
                    sent[request.frame.frame_id] = _numbers(request.frame.image)

        def on_received(payload: bytes | str) -> None:
            assert isinstance(payload, bytes)
            for data in _messages(payload):
                reply = emotion_pb2.StreamRecognizeResponse.FromString(data)
                self._add(reply, sent)

        socket.on("framesent", on_sent)
        socket.on("framereceived", on_received)

    def _add(
        self, reply: emotion_pb2.StreamRecognizeResponse, sent: dict[int, tuple[Clip, int] | None]
    ) -> None:
        match reply.WhichOneof("outcome"):
            case "recognition":
                shown = sent[reply.frame_id]
                if shown is None:
                    self.unnumbered += 1
                else:
                    self.answers.append(Answer(*shown, reply.recognition, "websocket"))
            case "dropped":
                self.dropped += 1
            case "error":
                self.errors.append(reply.error)

    def _on_request(self, request: Request) -> None:
        if not request.url.endswith(_SERVICE + "Recognize") or request.method != "POST":
            return
        response = request.response()
        body = response.body() if response is not None else b""
        messages = _messages(body)
        if not messages:
            self.unary_errors += 1
            return
        question = emotion_pb2.RecognizeRequest.FromString(
            _messages(request.post_data_buffer or b"")[0]
        )
        reply = emotion_pb2.RecognizeResponse.FromString(messages[0])
        shown = _numbers(question.image)
        if shown is None:
            self.unnumbered += 1
        else:
            self.answers.append(Answer(*shown, reply.recognition, "unary"))


def pixels(box: emotion_pb2.Box) -> Box:
    """A box of a reply in pixels of a clip's frame."""
    return (box.x * WIDTH, box.y * HEIGHT, box.width * WIDTH, box.height * HEIGHT)


def _numbers(image: bytes) -> tuple[Clip, int] | None:
    picture = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    try:
        return read_numbers(picture)
    except ValueError:
        return None


def _messages(data: bytes) -> list[bytes]:
    """The messages of gRPC-Web frames, headers and trailers left out."""
    messages = []
    while data:
        flag, length = struct.unpack_from(">BI", data)
        if flag == 0:
            messages.append(data[5 : 5 + length])
        data = data[5 + length :]
    return messages
