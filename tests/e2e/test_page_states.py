"""Every state of the page by name: it says the right words, looks right and is accessible.

Screenshots are kept in build/screenshots as <state>-<width>-<scheme>.png.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from clips import LEFT
from emotion_local import Stack
from page_states import (
    answer_streams,
    close_streams,
    cut_off,
    photograph,
    refuse_camera,
    two_faces,
    write_clip,
)
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.timeout(120)

OpenPage = Callable[..., Page]


def start(page: Page) -> None:
    page.get_by_role("button", name="Start camera").click()


def says(page: Page, code: str, timeout: float = 15_000) -> None:
    expect(page.locator("#message")).to_have_attribute("data-code", code, timeout=timeout)
    expect(page.locator("#message-title")).not_to_be_empty()


def test_first_view(open_page: OpenPage) -> None:
    page = open_page(None)
    expect(page.get_by_role("button", name="Start camera")).to_be_visible()
    expect(page.get_by_text("Nothing is stored")).to_be_visible()
    photograph(page, "first-view")


def test_live(open_page: OpenPage) -> None:
    page = open_page(LEFT)
    start(page)
    expect(page.locator("#faces li")).to_have_count(1, timeout=15_000)
    expect(page.locator("#timeline canvas")).to_be_visible(timeout=10_000)
    expect(page.locator("#round-trip")).to_contain_text("ms")
    expect(page.locator("#sent-rate")).to_contain_text("/ s")
    page.wait_for_timeout(1500)
    photograph(page, "live")
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    photograph(page, "settings", whole=False)


def test_permission_denied(open_browser: Callable[..., Browser], stack: Stack) -> None:
    page = open_browser(
        None, "--use-fake-device-for-media-stream", "--deny-permission-prompts"
    ).new_page()
    page.goto(stack.url)
    start(page)
    says(page, "camera-denied")
    # How to change it in this browser.
    expect(page.locator("#message")).to_contain_text("left of the address")
    photograph(page, "permission-denied")


@pytest.mark.parametrize(
    ("state", "error", "code"),
    [
        ("no-camera", "NotFoundError", "camera-missing"),
        ("camera-in-use", "NotReadableError", "camera-busy"),
    ],
)
def test_camera_trouble(open_page: OpenPage, state: str, error: str, code: str) -> None:
    page = open_page(None)
    page.evaluate(refuse_camera(error))
    start(page)
    says(page, code)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    photograph(page, state)


def test_insecure_origin(open_browser: Callable[..., Browser], stack: Stack) -> None:
    browser = open_browser(LEFT, "--host-resolver-rules=MAP elsewhere.test 127.0.0.1")
    page = browser.new_page()
    page.goto(f"http://elsewhere.test:{stack.settings.port}")
    start(page)
    says(page, "insecure-origin")
    expect(page.locator("#message")).to_contain_text("https://")
    photograph(page, "insecure-origin")


def test_unsupported_browser(open_browser: Callable[..., Browser], stack: Stack) -> None:
    page = open_browser(None).new_page()
    page.add_init_script("delete window.createImageBitmap")
    page.goto(stack.url)
    says(page, "unsupported-browser")
    expect(page.get_by_role("button", name="Start camera")).to_be_disabled()
    photograph(page, "unsupported-browser")


def test_server_unreachable(open_page: OpenPage) -> None:
    page = open_page(LEFT)
    cut_off(page)
    start(page)
    says(page, "server-away", 30_000)
    expect(page.locator("#message-countdown")).to_contain_text("Next attempt in", timeout=15_000)
    expect(page.get_by_role("button", name="Retry now")).to_be_visible()
    photograph(page, "server-unreachable")


def test_reconnecting_with_a_countdown(open_page: OpenPage) -> None:
    page = open_page(LEFT)
    close_streams(page, 1001)
    start(page)
    says(page, "reconnecting", 30_000)
    expect(page.locator("#message-countdown")).to_contain_text("Next attempt in", timeout=15_000)
    expect(page.locator("#status")).to_have_attribute("data-state", "reconnecting")
    photograph(page, "reconnecting")


def test_session_limit(open_page: OpenPage) -> None:
    page = open_page(LEFT)
    answer_streams(page, 8, "this gateway serves 2 sessions at once")
    start(page)
    says(page, "session-limit", 30_000)
    photograph(page, "session-limit")


def test_signed_out(open_page: OpenPage) -> None:
    page = open_page(LEFT)
    answer_streams(page, 16, "the token has run out")
    start(page)
    says(page, "signed-out")
    expect(page.locator("#status")).to_have_attribute("data-state", "failed")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    photograph(page, "signed-out")


def test_picture(open_page: OpenPage) -> None:
    page = open_page(None)
    page.locator("#picture-file").set_input_files(
        {"name": "two.jpg", "mimeType": "image/jpeg", "buffer": two_faces()}
    )
    expect(page.locator("#faces li")).to_have_count(2, timeout=15_000)
    second = page.locator("#faces li button").nth(1)
    second.click()
    expect(second).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#faces dl:visible")).to_have_count(1)
    photograph(page, "picture")


def test_video(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(None)
    clip = write_clip(tmp_path / "clip.webm", LEFT, 60, 15)
    page.locator("#video-file").set_input_files(clip)
    expect(page.locator("#clip-progress-text")).to_contain_text("Analysing", timeout=15_000)
    expect(page.locator("#clip-progress-text")).to_contain_text("whole clip", timeout=40_000)
    expect(page.locator("#faces li")).to_have_count(1)
    page.get_by_role("slider", name="Moment of the clip").fill("2")
    page.wait_for_timeout(700)
    photograph(page, "video")


def test_screen(open_page: OpenPage) -> None:
    page = open_page(LEFT)
    page.get_by_role("button", name="Share a screen").click()
    expect(page.locator("#status")).to_have_attribute("data-state", "live", timeout=15_000)
    expect(page.get_by_role("button", name="Mirror")).to_be_hidden()
    photograph(page, "screen")
