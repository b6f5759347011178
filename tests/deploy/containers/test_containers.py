"""Our images as real containers, from the manifests of the overlay for one machine.

Runs where podman can, with base images made from Debian packages (or those of BUILD_IMAGE and
BASE_IMAGE, if set); elsewhere it says why not, and is skipped.
"""

import http.client
import json
import subprocess
import time
from collections.abc import Iterator

import cv2
import grpc
import pytest
from clips import LEFT
from deploy.containers.podman import PIECES, Podman, Pods
from deploy.manifests import K8S, render
from emotion.v1 import emotion_pb2, emotion_pb2_grpc
from running import ROOT

pytestmark = pytest.mark.timeout(900)

MOST_MB = {"gateway": 250, "detector": 250, "classifier": 200, "page": 60, "envoy": 200}
"""On disk, the base included. docs/kubernetes.md has the sizes that are transferred."""


@pytest.fixture(scope="module")
def pods(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    started = Pods(podman, render(K8S / "overlays/local"), tmp_path_factory.mktemp("pods"))
    try:
        started.start_all()
        for name in started.names:
            wait_until_it_works(started, name)
        yield started
    finally:
        started.remove_all()


def wait_until_it_works(pods: Pods, name: str, seconds: float = 30.0) -> None:
    """Until a face comes back through all of them, and the page does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            faces = recognize(pods).faces
            assert len(faces) == 1
            assert faces[0].HasField("scores")
            assert b"<!doctype html>" in page(pods).lower()
            return
        except (grpc.RpcError, OSError, AssertionError) as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"{name}: {error}\n{pods.logs(name)}") from error
            time.sleep(0.2)


def recognize(pods: Pods, picture: bytes = LEFT.jpeg(0)) -> emotion_pb2.Recognition:
    """One picture with one face, through Envoy."""
    with grpc.insecure_channel(f"{pods.addresses['envoy']}:8080") as channel:
        response = emotion_pb2_grpc.EmotionServiceStub(channel).Recognize(
            emotion_pb2.RecognizeRequest(image=picture), timeout=5
        )
    return response.recognition


def page(pods: Pods) -> bytes:
    connection = http.client.HTTPConnection(pods.addresses["envoy"], 8080, timeout=5)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("format_", [".jpg", ".png", ".webp"])
def test_the_detector_without_its_unused_libraries_reads_every_format(
    pods: Pods, format_: str
) -> None:
    picture = cv2.imencode(format_, LEFT.draw(0))[1].tobytes()
    (face,) = recognize(pods, picture).faces
    assert face.HasField("scores")


def test_a_stream_is_answered_frame_for_frame(pods: Pods) -> None:
    with grpc.insecure_channel(f"{pods.addresses['envoy']}:8080") as channel:
        stub = emotion_pb2_grpc.EmotionServiceStub(channel)
        pictures = [LEFT.jpeg(i) for i in range(5)]
        requests = [
            emotion_pb2.StreamRecognizeRequest(frame=emotion_pb2.Frame(frame_id=i, image=picture))
            for i, picture in enumerate(pictures, 1)
        ]
        replies = list(stub.StreamRecognize(iter(requests), timeout=20))
    assert [reply.frame_id for reply in replies] == [1, 2, 3, 4, 5]
    assert replies[-1].recognition.faces[0].expression


@pytest.mark.parametrize("name", PIECES)
def test_nobody_is_root_and_nothing_can_be_written(pods: Pods, podman: Podman, name: str) -> None:
    about = podman.inspect(pods.container(name))
    assert about["HostConfig"]["ReadonlyRootfs"]
    assert not about["EffectiveCaps"]
    told = podman(
        "exec", pods.container(name), "python3", "-c",
        "import os\nprint(os.getuid(), os.getgid())\n"
        "for folder in ('/', '/app', '/usr', '/etc', '/home'):\n"
        "  try: open(folder + '/written', 'w')\n"
        "  except OSError as error: print(folder, error.errno)\n"
        "  else: print('wrote into', folder)",
    )  # fmt: skip
    assert told.startswith("65532 65532")
    assert "wrote into" not in told


@pytest.mark.parametrize("name", PIECES)
def test_there_is_no_shell(pods: Pods, podman: Podman, name: str) -> None:
    assert podman.try_("exec", pods.container(name), "/bin/sh", "-c", "true").returncode != 0


@pytest.mark.parametrize("name", PIECES)
def test_it_stops_by_itself_when_told_and_the_rest_heals_when_it_is_back(
    pods: Pods, name: str
) -> None:
    assert pods.stop(name) == 0, pods.logs(name)
    if name == "classifier":
        (face,) = recognize(pods).faces
        assert not face.HasField("scores")  # boxes still come
    pods.remove(name)
    pods.start(name)
    wait_until_it_works(pods, name)


def test_tensorflow_servings_image_has_the_files_that_its_flags_name(podman: Podman) -> None:
    """Built on our own base in place of TensorFlow Serving's image, which no test here can pull."""
    done = subprocess.run(
        [ROOT / "deploy/images/build.sh", "tfserving"],
        env=podman.environment
        | {
            "ENGINE": "podman",
            "BUILDAH_ISOLATION": "chroot",
            "IMAGE_PREFIX": "localhost/stand-in",
            "TFSERVING_IMAGE": podman.base,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    image = "localhost/stand-in/tfserving:0.1.0"
    flags = json.loads(podman("image", "inspect", "--format", "{{json .Config.Cmd}}", image))
    files = [f.partition("=")[2] for f in flags if "_file=" in f]
    assert len(files) == 3
    version = next((ROOT / "services/classifier/models/emotion").glob("[0-9]*")).name
    model = f"/models/emotion/{version}"
    files += [f"{model}/saved_model.pb", f"{model}/assets.extra/tf_serving_warmup_requests"]
    told = podman(
        "run", "--rm", "--read-only", "--entrypoint", "python3", image,
        "-c", "import sys\nfor f in sys.argv[1:]: print(len(open(f, 'rb').read()) > 0)", *files,
    )  # fmt: skip
    assert told.split() == ["True"] * 5


@pytest.mark.parametrize("name", PIECES)
def test_images_are_small_labelled_and_run_as_nobody(podman: Podman, name: str) -> None:
    image = f"localhost/emotion-recognizer/{name}:0.1.0"
    assert int(podman("image", "inspect", "--format", "{{.Size}}", image)) < MOST_MB[name] * 1e6
    assert podman("image", "inspect", "--format", "{{.Config.User}}", image) == "65532:65532"
    assert podman("image", "inspect", "--format", "{{.HealthCheck}}", image) == "<nil>"
    for label in ("title", "description", "version", "revision"):
        key = f"org.opencontainers.image.{label}"
        assert podman("image", "inspect", "--format", f'{{{{index .Labels "{key}"}}}}', image)
