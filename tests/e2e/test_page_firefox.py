"""The page in Firefox: Debian's, which Playwright cannot drive, by web/interop/firefox.mjs."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from clips import LEFT
from emotion_local import Stack
from page_states import ROOT, SCREENSHOTS, write_clip

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(FIREFOX is None, reason="no firefox-esr or firefox is installed"),
]


@pytest.fixture(scope="module")
def seen(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one visit to the page shows."""
    folder = tmp_path_factory.mktemp("firefox")
    picture: Path = folder / "face.jpg"
    picture.write_bytes(LEFT.jpeg(0))
    video = write_clip(folder / "face.webm", LEFT, 45, 15)
    node = ROOT / "build/node/bin/node"
    script = "web/interop/firefox.mjs"
    result = subprocess.run(
        [node, script, str(FIREFOX), stack.url, picture, video, SCREENSHOTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    visit: dict[str, Any] = json.loads(result.stdout)
    assert visit["browser"].lower().startswith("firefox/")
    return visit


def test_first_view(seen: dict[str, Any]) -> None:
    assert seen["first"]["headline"] == "What does a face appear to express?"
    assert seen["first"]["status"] == "Ready"


def test_camera_is_live(seen: dict[str, Any]) -> None:
    camera = seen["camera"]
    assert camera["state"] == "live"
    assert camera["transport"] == "websocket"
    assert camera["answered"] >= 1
    assert camera["playing"]
    assert camera["width"] > 0
    assert camera["message"] is None
    # Firefox's own fake camera shows coloured areas.
    assert camera["faces"] == 0


def test_stop_switches_the_camera_off(seen: dict[str, Any]) -> None:
    assert seen["stopped"] == {"status": "Ready", "tracks": ["ended"], "view_hidden": True}


def test_picture_shows_its_face(seen: dict[str, Any]) -> None:
    picture = seen["picture"]
    assert picture["expressions"] == ["happiness"]
    assert picture["scores"] == 8
    assert picture["width"] == 640
    assert picture["box"] is not None


def test_video_is_analysed_and_searched(seen: dict[str, Any]) -> None:
    video = seen["video"]
    assert video["status"] == "30 frames analysed"
    for moment in video["moments"]:
        assert moment["expressions"] == ["happiness"]
        face = LEFT.face(int(moment["seconds"] * 15))
        assert face is not None
        middle = (moment["box"]["left"] + moment["box"]["right"]) / 2
        assert middle == pytest.approx(face[0] + face[2] / 2, abs=10)


def test_nothing_goes_wrong_and_nobody_else_is_asked(seen: dict[str, Any]) -> None:
    assert seen["troubles"] == []
    assert seen["strangers"] == []
    for state in ("first", "camera", "stopped", "picture", "video"):
        assert (SCREENSHOTS / f"firefox-{state}.png").stat().st_size > 10_000
