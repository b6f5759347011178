"""The whole product as real processes, and browsers with fake cameras."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from clips import Clip
from emotion_local import LocalSettings, Stack
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

FREE_PORTS = {"port": 0, "page_port": 0}

CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All parts, running; tests that stop one start it again."""
    settings = LocalSettings(**FREE_PORTS, work_directory=tmp_path_factory.mktemp("stack"))
    with Stack(settings) as running:
        yield running


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Clip], Path]:
    """Writes a clip as a file for the fake camera, once."""
    folder = tmp_path_factory.mktemp("clips")
    written: dict[int, Path] = {}

    def write(clip: Clip) -> Path:
        if clip.number not in written:
            written[clip.number] = clip.write_y4m(folder / f"{clip.number}.y4m")
        return written[clip.number]

    return write


@pytest.fixture
def open_browser(
    playwright: Playwright, clip_file: Callable[[Clip], Path]
) -> Iterator[Callable[..., Browser]]:
    """Starts Chromium, with a clip as its camera or without a camera."""
    with ExitStack() as browsers:

        def start(clip: Clip | None, *flags: str) -> Browser:
            camera = []
            if clip is not None:
                camera = [
                    "--use-fake-device-for-media-stream",
                    "--use-fake-ui-for-media-stream",
                    f"--use-file-for-fake-video-capture={clip_file(clip)}",
                ]
            root = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=[*CHROMIUM_FLAGS, *camera, *root, *flags],
            )
            browsers.callback(browser.close)
            return browser

        yield start


@pytest.fixture
def open_page(open_browser: Callable[..., Browser], stack: Stack) -> Callable[..., Page]:
    """Opens the page in a browser of its own; fails the test on errors in its console."""

    def open_(clip: Clip | None, *, width: int = 1280, height: int = 900) -> Page:
        page = open_browser(clip).new_page(viewport={"width": width, "height": height})
        page.goto(stack.url)
        return page

    return open_
