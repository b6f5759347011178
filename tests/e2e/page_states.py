"""The page's states by name: how to bring each about, and how to record and check it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from clips import CLIPS, LEFT, Clip
from playwright.sync_api import Page, WebSocketRoute

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "build/screenshots"
AXE = ROOT / "web/node_modules/axe-core/axe.min.js"

WIDTHS = {1440: 900, 390: 844}

# Crosses most of the picture in a second and a half: 14 pixels a frame where it is fastest.
FAST = Clip(4, left=0, right=400)
CLIPS[FAST.number] = FAST


def photograph(page: Page, state: str, *, whole: bool = True) -> None:
    """Keeps the state as it looks on a desk and on a phone, light and dark.

    Of the whole page, or of what a dialog leaves to be seen of it. Checks each time that nothing
    is wider than the window, and that axe-core finds no fault.
    """
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(350)
            page.screenshot(path=SCREENSHOTS / f"{state}-{width}-{scheme}.png", full_page=whole)
            assert_fits(page)
            if (width, scheme) in ((1440, "light"), (390, "dark")):
                assert_accessible(page, f"{state}-{width}-{scheme}")
    page.set_viewport_size({"width": 360, "height": 740})
    assert_fits(page)


def assert_fits(page: Page) -> None:
    """Nothing makes the page scroll sideways."""
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{wide} pixels too wide"


def assert_accessible(page: Page, state: str) -> None:
    """axe-core finds nothing to complain about, best practices included."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    results: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert results["testEngine"]["name"] == "axe-core"
    faults = [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in results["violations"]
        for node in fault["nodes"]
    ]
    assert not faults, f"{state}: " + "\n".join(faults)


def answer_streams(page: Page, status: int, message: str) -> None:
    """Every stream of the page ends with a gRPC status."""
    trailers = f"grpc-status: {status}\r\ngrpc-message: {message}\r\n".encode()

    def handle(socket: WebSocketRoute) -> None:
        answer = b"\x80" + len(trailers).to_bytes(4, "big") + trailers
        socket.on_message(lambda _: socket.send(answer))

    page.route_web_socket("**/*", handle)


def close_streams(page: Page, code: int) -> None:
    """Every stream of the page is closed as soon as it speaks."""

    def handle(socket: WebSocketRoute) -> None:
        socket.on_message(lambda _: socket.close(code=code))

    page.route_web_socket("**/*", handle)


def cut_off(page: Page) -> None:
    """The page's server cannot be reached any more."""
    page.route_web_socket("**/*", lambda socket: socket.close())
    page.route("**/emotion.v1.EmotionService/*", lambda route: route.abort())


def refuse_camera(error: str) -> str:
    """A script after which every camera fails in this way."""
    return (
        "() => { navigator.mediaDevices.getUserMedia = "
        f"() => Promise.reject(new DOMException('not today', '{error}')); }}"
    )


def two_faces() -> bytes:
    """A JPEG file with two faces."""
    picture = LEFT.draw(0)
    part = picture[100:340, 10:250]
    picture[100:340, 380:620] = part[:, ::-1]
    picture[440:] = 120
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def write_clip(path: Path, clip: Clip, frames: int, frames_per_second: int) -> Path:
    """A clip as a WebM file."""
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"VP80"), frames_per_second, (640, 480)
    )
    assert writer.isOpened()
    for frame in range(frames):
        writer.write(np.ascontiguousarray(clip.draw(frame)))
    writer.release()
    return path


def counter(page: Page) -> Callable[[], int]:
    """Counts the messages of the server's streams, without looking into them."""
    received = [0]

    def count(_: bytes | str) -> None:
        received[0] += 1

    page.on("websocket", lambda socket: socket.on("framereceived", count))
    return lambda: received[0]
