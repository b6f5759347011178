"""The library without the page: the example of thirty lines, and browsers that can do less."""

from collections.abc import Callable

import pytest
from clips import LEFT, overlap
from emotion_local import Stack
from page_states import ROOT
from playwright.sync_api import Browser, Page, Route, expect
from test_browser import collect, drawn_and_shown
from wire import Wire

pytestmark = pytest.mark.timeout(120)

EXAMPLE = ROOT / "web/example"


def test_the_example_shows_faces(open_browser: Callable[..., Browser], stack: Stack) -> None:
    def serve(route: Route) -> None:
        name = route.request.url.split("/example/")[1] or "index.html"
        route.fulfill(path=EXAMPLE / "dist" / name)

    page = open_browser(LEFT).new_page()
    page.route("**/example/**", serve)
    wire = Wire(page)
    page.goto(f"{stack.url}/example/")
    page.get_by_role("button", name="Start camera").click()
    expect(page.get_by_role("status")).to_have_text("live", timeout=15_000)
    collect(page, wire, 20)
    assert sum(answer.overlap >= 0.5 for answer in wire.answers) >= 0.9 * len(wire.answers)
    drawn = page.evaluate(
        """() => {
          const {width, height} = document.querySelector('canvas');
          const data = document.querySelector('canvas').getContext('2d')
            .getImageData(0, 0, width, height).data;
          let blue = 0;
          for (let i = 0; i < data.length; i += 4)
            blue += data[i] < 60 && data[i + 1] > 150 && data[i + 2] > 220;
          return blue;
        }"""
    )
    assert drawn > 100


def test_the_example_is_short_and_needs_the_library_only() -> None:
    lines = (EXAMPLE / "main.ts").read_text().splitlines()
    assert len(lines) <= 31
    imports = [line for line in lines if line.startswith("import")]
    assert imports == ['import { connect, Expression } from "@emotion-recognizer/client";']


@pytest.mark.parametrize(
    "lacking",
    ["MediaStreamTrackProcessor", "VideoFrame", "OffscreenCanvas", "Worker"],
)
def test_faces_are_found_and_boxed_where_a_browser_can_do_less(
    open_browser: Callable[..., Browser], stack: Stack, lacking: str
) -> None:
    page = open_browser(LEFT).new_page()
    page.add_init_script("delete window.MediaStreamTrackProcessor;" + f"delete window.{lacking};")
    wire = Wire(page)
    page.goto(stack.url)
    page.get_by_role("button", name="Start camera").click()
    collect(page, wire, 10)
    assert sum(answer.overlap >= 0.5 for answer in wire.answers) >= 0.8 * len(wire.answers)
    assert_boxes_are_on_the_face(page)


def assert_boxes_are_on_the_face(page: Page) -> None:
    views = [drawn_and_shown(page) for _ in range(10)]
    assert sum(view is not None and overlap(*view) >= 0.5 for view in views) >= 8


@pytest.mark.parametrize("name", ["capture", "overlay"])
def test_a_worker_that_cannot_start_is_done_without(
    open_browser: Callable[..., Browser], stack: Stack, name: str
) -> None:
    page = open_browser(LEFT).new_page()
    page.route(f"**/{name}-worker*", lambda route: route.fulfill(status=404))
    wire = Wire(page)
    page.goto(stack.url)
    page.get_by_role("button", name="Start camera").click()
    collect(page, wire, 10)
    assert_boxes_are_on_the_face(page)
