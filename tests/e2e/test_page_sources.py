"""Sources, export and settings of the page, as a person uses them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import LEFT, overlap
from emotion_local import Stack
from page_states import counter, two_faces, write_clip
from playwright.sync_api import Browser, Page, expect
from test_page_overlay import look

pytestmark = pytest.mark.timeout(120)

OpenPage = Callable[..., Page]

GIVE_FILE = """([event, name, type, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, {type}));
  const init = {bubbles: true, cancelable: true};
  document.dispatchEvent(event === 'paste'
    ? new ClipboardEvent('paste', {...init, clipboardData: data})
    : new DragEvent('drop', {...init, dataTransfer: data}));
}"""


def start(page: Page) -> None:
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#faces li")).to_have_count(1, timeout=15_000)


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_picture_is_pasted_or_dropped(open_page: OpenPage, way: str) -> None:
    page = open_page(None)
    page.evaluate(GIVE_FILE, [way, "two.jpg", "image/jpeg", list(two_faces())])
    expect(page.locator("#faces li")).to_have_count(2, timeout=15_000)
    page.evaluate(GIVE_FILE, [way, "note.txt", "text/plain", list(b"no picture")])
    expect(page.locator("#message")).to_have_attribute("data-code", "unsupported-file")


def test_a_clip_is_analysed_at_every_moment_and_searched(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(None)
    page.locator("#video-file").set_input_files(write_clip(tmp_path / "clip.webm", LEFT, 60, 15))
    expect(page.locator("#clip-progress-text")).to_contain_text("whole clip", timeout=40_000)
    slider = page.get_by_role("slider", name="Moment of the clip")
    for seconds in (3.5, 0.5, 2.0):
        slider.fill(str(seconds))
        page.wait_for_timeout(700)
        seen = look(page)
        assert seen is not None
        drawn, frame = seen
        assert abs(frame - seconds * 15) <= 1
        face = LEFT.face(frame)
        assert face is not None
        assert overlap(drawn, face) >= 0.5
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save scores as CSV").click()
    rows = list(csv.DictReader(Path(saving.value.path()).read_text().splitlines()))
    # The default is ten moments for each of its four seconds.
    assert [float(row["time_seconds"]) for row in rows] == pytest.approx(np.arange(40) / 10)
    assert {row["face"] for row in rows} == {"1"}
    # A click in the timeline goes there.
    page.locator("#timeline .u-over").click(position={"x": 5, "y": 60})
    expect(page.locator("#clip-time")).to_contain_text("0:00")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_scores_and_the_view_are_saved(open_page: OpenPage) -> None:
    page = open_page(LEFT)
    start(page)
    page.wait_for_timeout(2000)
    with page.expect_download() as saving:
        page.get_by_role("button", name="Save scores as JSON").click()
    assert saving.value.suggested_filename.endswith(".json")
    rows = json.loads(Path(saving.value.path()).read_text())["rows"]
    assert len(rows) >= 5
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert all(sum(row["scores"].values()) == pytest.approx(1, abs=0.01) for row in rows)

    with page.expect_download() as saving:
        page.get_by_role("button", name="Save view").click()
    picture = cv2.imread(str(saving.value.path()))
    assert picture is not None
    assert picture.shape == (480, 640, 3)
    sky_blue = np.all(np.abs(picture.astype(int) - (0xE9, 0xB4, 0x56)) < 8, axis=2)
    assert sky_blue.sum() > 500  # The first face's box and label.

    page.get_by_role("button", name="Clear all").click()
    with page.expect_download() as saving:
        page.wait_for_timeout(400)
        page.get_by_role("button", name="Save scores as JSON").click()
    rows = json.loads(Path(saving.value.path()).read_text())["rows"]
    assert rows[0]["time"] < 1.5
    assert len(rows) < 20


def test_settings_count_at_once_and_are_remembered(open_page: OpenPage) -> None:
    page = open_page(LEFT)
    start(page)
    page.get_by_role("button", name="Mirror").click()
    expect(page.get_by_role("button", name="Mirror")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Frames a second, at most").select_option("5")
    page.get_by_label("Show eyes, nose and mouth").check()
    page.get_by_role("button", name="Done").click()
    received = counter(page)
    expect(page.locator("#target-rate")).to_have_text("5 / s", timeout=10_000)
    expect(page.locator("#sent-rate")).to_have_text("5 / s", timeout=10_000)
    assert received() == 0  # Still the same stream.

    page.reload()
    start(page)
    expect(page.get_by_role("button", name="Mirror")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#target-rate")).to_have_text("5 / s", timeout=10_000)
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("Show eyes, nose and mouth")).to_be_checked()
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_label("Show eyes, nose and mouth")).not_to_be_checked()


def test_one_of_several_cameras_is_chosen(
    open_browser: Callable[..., Browser], stack: Stack
) -> None:
    page = open_browser(
        None, "--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream"
    ).new_page()
    page.goto(stack.url)
    page.get_by_role("button", name="Start camera").click()
    choice = page.get_by_label("Camera", exact=True)
    expect(choice).to_be_visible(timeout=15_000)
    expect(choice.locator("option")).to_have_count(2)
    first = choice.input_value()
    other = next(
        value
        for value in choice.locator("option").evaluate_all("all => all.map(o => o.value)")
        if value != first
    )
    choice.select_option(other)
    page.wait_for_function(
        """camera => document.querySelector('#video').srcObject?.getVideoTracks()[0]
            .getSettings().deviceId === camera""",
        arg=other,
        timeout=15_000,
    )
    expect(page.locator("#status")).to_have_attribute("data-state", "live", timeout=15_000)
    expect(choice).to_have_value(other)


def test_the_page_works_by_keyboard(open_page: OpenPage) -> None:
    page = open_page(LEFT)
    order = []
    for _ in range(5):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id"))
    assert order == ["open-settings", "start-camera", "share-screen", "picture-file", "video-file"]
    page.locator("#start-camera").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#faces li")).to_have_count(1, timeout=15_000)
    assert page.evaluate("document.activeElement.id") == "stop"
    # A change is told once, in words, and not with every frame.
    expect(page.locator("#announcer")).to_contain_text("1 face", timeout=10_000)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Start camera")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Settings")).to_be_hidden()
    expect(page.locator("#open-settings")).to_be_focused()


def test_nothing_but_frames_leaves_the_browser(
    open_browser: Callable[..., Browser], stack: Stack, tmp_path: Path
) -> None:
    context = open_browser(LEFT).new_context(accept_downloads=True)
    page = context.new_page()
    addresses: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda request: addresses.append(request.url))
    page.on("websocket", lambda socket: addresses.append(socket.url.replace("ws:", "http:")))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(stack.url)
    start(page)
    expect(page.locator("#timeline canvas")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Done").click()
    with page.expect_download():
        page.get_by_role("button", name="Save scores as CSV").click()
    page.locator("#video-file").set_input_files(write_clip(tmp_path / "clip.webm", LEFT, 15, 15))
    expect(page.locator("#clip-progress-text")).to_contain_text("whole clip", timeout=40_000)
    assert complaints == []
    assert all(url.startswith((stack.url, f"blob:{stack.url}")) for url in addresses), addresses
    assert any("capture-worker" in url for url in addresses)
    stored = page.evaluate("[Object.keys(localStorage), Object.keys(sessionStorage)]")
    assert stored in ([["emotion-recognizer.settings"], []], [[], []])
    assert context.cookies() == []
