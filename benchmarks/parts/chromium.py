"""What the page costs in a real browser: CPU of all of Chromium's processes."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.bench import ROOT, Bench
from benchmarks.frames import HEIGHT, WIDTH, clip
from benchmarks.processes import command, cpu_seconds, tree

_CAMERA_FRAMES_PER_SECOND = 30
_SHOWN = 5  # camera frames for which the clip stands still: the face moves slowly
_LENGTH = 3  # of a measurement, in usual ones
_WARM_SECONDS = 3.0

# Counts replies inside the page: listening from outside would cost the browser CPU.
_COUNT_REPLIES = """
window.replies = 0;
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", () => { window.replies += 1; });
  }
};
"""


def measure_chromium(bench: Bench) -> None:
    """The page with a fake camera; a note instead of figures where there is no Chromium."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        bench.figures.note("chromium is not measured: playwright is not installed")
        return
    camera = _write_camera(ROOT / "build/bench/camera.y4m")
    flags = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
        "--disable-gpu",
        "--disable-background-networking",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    url = bench.stack.url
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=flags
            )
        except Error as error:
            reason = str(error).splitlines()[0]
            bench.figures.note(f"chromium is not measured: it does not start ({reason})")
            return
        page = browser.new_page()
        page.add_init_script(_COUNT_REPLIES)
        page.goto(url)
        page.get_by_role("button", name="Start camera").click()
        page.wait_for_timeout(_WARM_SECONDS * 1000)
        for k in range(bench.rounds):
            bench.say(f"chromium: round {k + 1} of {bench.rounds}")
            _measure(bench, page, _LENGTH * bench.seconds)
        browser.close()


def _measure(bench: Bench, page: Any, seconds: float) -> None:
    pids = [pid for pid in tree(os.getpid()) if "--type=" in command(pid) or _is_browser(pid)]
    replies, cpu, began = page.evaluate("replies"), cpu_seconds(pids), time.monotonic()
    page.wait_for_timeout(seconds * 1000)
    replies = page.evaluate("replies") - replies
    cpu, passed = cpu_seconds(pids) - cpu, time.monotonic() - began
    if not replies:
        bench.figures.note("chromium is not measured: no reply came over its WebSocket")
        return
    add = bench.figures.add
    add("chromium.cpu_ms_per_frame", 1e3 * cpu / replies, "ms", "CPU of the browser, all of it")
    add("chromium.frames_per_s", replies / passed, "1/s", "answered, one page")


def _is_browser(pid: int) -> bool:
    return "--use-file-for-fake-video-capture" in command(pid)


def _write_camera(path: Path) -> Path:
    """One face as a file that Chromium's fake camera plays in a loop."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        rate = f"{_CAMERA_FRAMES_PER_SECOND}:1"
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{rate} Ip C420\n".encode())
        for frame in clip(1):
            picture = cv2.imdecode(np.frombuffer(frame.image, np.uint8), cv2.IMREAD_COLOR)
            planes = cv2.cvtColor(np.asarray(picture), cv2.COLOR_BGR2YUV_I420).tobytes()
            file.write(_SHOWN * (b"FRAME\n" + planes))
    return path
