"""The page in Firefox: Debian's, which Playwright cannot drive, by web/interop/firefox.mjs."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from clips import LEFT
from emotion_local import Stack
from page_states import ROOT, SCREENSHOTS

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(FIREFOX is None, reason="no firefox-esr or firefox is installed"),
]


@pytest.fixture(scope="module")
def seen(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one visit to the page shows."""
    picture: Path = tmp_path_factory.mktemp("firefox") / "face.jpg"
    picture.write_bytes(LEFT.jpeg(0))
    node = ROOT / "build/node/bin/node"
    script = "web/interop/firefox.mjs"
    result = subprocess.run(
        [node, script, str(FIREFOX), stack.url, picture, SCREENSHOTS],
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
    assert picture["drawn"] > 100


def test_nothing_goes_wrong_and_nobody_else_is_asked(seen: dict[str, Any]) -> None:
    assert seen["troubles"] == []
    assert seen["strangers"] == []
    for state in ("first", "camera", "stopped", "picture"):
        assert (SCREENSHOTS / f"firefox-{state}.png").stat().st_size > 10_000
