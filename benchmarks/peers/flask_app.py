"""What people otherwise write: a Flask page that posts JPEGs, and a library behind it.

``python flask_app.py keras`` has OpenCV and Keras' MobileNetV2 at 224x224 behind it, with random
weights: the time does not depend on them. ``python flask_app.py fer`` has the library fer as it
comes (Haar cascade, mini-XCEPTION of Arriaga et al., 2017). Runs in a virtual environment of its
own and prints one line of JSON with its port.
"""

import functools
import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import flask
import keras
import numpy as np

_MODELS = Path(__file__).resolve().parents[2] / "services/detector/emotion_detector/models"
_EXPRESSIONS = 8
_DETECTION_SIZE = 320

_PAGE = """<!doctype html><video autoplay></video><canvas hidden></canvas><pre></pre><script>
const video = document.querySelector("video"), canvas = document.querySelector("canvas");
navigator.mediaDevices.getUserMedia({video: true}).then(stream => video.srcObject = stream);
async function post() {
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  const image = await new Promise(done => canvas.toBlob(done, "image/jpeg", 0.75));
  const answer = await fetch("/recognize", {method: "POST", body: image});
  document.querySelector("pre").textContent = JSON.stringify(await answer.json());
  requestAnimationFrame(post);
}
video.onplaying = post;
</script>"""

Boxes = list[tuple[int, int, int, int]]
# Of a picture, uint8 [H, W, 3], the faces as they are answered.
Recognize = Callable[[np.ndarray], list[dict[str, Any]]]


def make_detector() -> tuple[str, Callable[[np.ndarray], Boxes]]:
    """A detector of OpenCV and its name: FaceDetectorYN with the project's network if a file of
    it takes three channels, else the cascade that OpenCV 4 brings along."""
    for file in sorted(_MODELS.glob("*.onnx")):
        try:
            network = cv2.FaceDetectorYN.create(str(file), "", (320, 240), 0.5)
            network.detect(np.zeros((240, 320, 3), np.uint8))
        except cv2.error:
            continue
        return f"cv2.FaceDetectorYN, {file.name}", functools.partial(find_with_network, network)
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    return "OpenCV's Haar cascade", functools.partial(find_with_cascade, cascade)


def find_with_network(network: cv2.FaceDetectorYN, picture: np.ndarray) -> Boxes:
    """Faces as left, top, width, height in pixels; looked for at 320 pixels of the longer side."""
    scale = _DETECTION_SIZE / max(picture.shape)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    network.setInputSize(small.shape[1::-1])
    _, faces = network.detect(small)
    return [tuple((face[:4] / scale).astype(int)) for face in ([] if faces is None else faces)]


def find_with_cascade(cascade: cv2.CascadeClassifier, picture: np.ndarray) -> Boxes:
    """Faces as left, top, width, height in pixels."""
    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return [tuple(box) for box in cascade.detectMultiScale(gray, 1.3, 5)]


def make_keras() -> tuple[str, Recognize]:
    """OpenCV and Keras, and what they are called."""
    detector, find = make_detector()
    model = keras.applications.MobileNetV2(weights=None, classes=_EXPRESSIONS)

    def recognize(picture: np.ndarray) -> list[dict[str, Any]]:
        faces = []
        for x, y, width, height in find(picture):
            left, top = max(x, 0), max(y, 0)
            face = cv2.resize(picture[top : y + height, left : x + width], (224, 224))
            rgb = cv2.cvtColor(face, cv2.COLOR_BGR2RGB)[None].astype(np.float32)
            scores = model.predict(keras.applications.mobilenet_v2.preprocess_input(rgb), verbose=0)
            faces.append(
                {"box": [int(x), int(y), int(width), int(height)], "scores": scores[0].tolist()}
            )
        return faces

    return detector, recognize


def make_fer() -> tuple[str, Recognize]:
    """The library fer."""
    from fer.fer import FER

    library = FER(mtcnn=False)

    def recognize(picture: np.ndarray) -> list[dict[str, Any]]:
        return [
            {"box": np.asarray(face["box"]).tolist(), "scores": list(face["emotions"].values())}
            for face in library.detect_emotions(picture)
        ]

    return "OpenCV's Haar cascade", recognize


def make_app(recognize_faces: Recognize) -> flask.Flask:
    """The page and the address that it posts to."""
    app = flask.Flask(__name__)
    lock = threading.Lock()  # neither detector nor network may be called by two threads at once

    @app.get("/")
    def page() -> str:
        return _PAGE

    @app.post("/recognize")
    def recognize() -> flask.Response:
        picture = cv2.imdecode(np.frombuffer(flask.request.data, np.uint8), cv2.IMREAD_COLOR)
        with lock:
            return flask.jsonify(faces=recognize_faces(picture))

    return app


def main() -> None:
    """Serves until it is ended."""
    detector, recognize = {"keras": make_keras, "fer": make_fer}[sys.argv[1]]()
    app = make_app(recognize)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    print(json.dumps({"port": port, "detector": detector}), flush=True)
    app.run("127.0.0.1", port, threaded=True)


if __name__ == "__main__":
    main()
