"""Takes the README's screenshot: the page with a public-domain portrait as its camera."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import skimage.data
from conftest import CHROMIUM_FLAGS, FREE_PORTS
from emotion_local import LocalSettings, Stack
from playwright.sync_api import sync_playwright


def main(out: Path) -> None:
    """Runs everything, shows the portrait to the page's camera and writes the picture."""
    portrait = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)[:384]
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "portrait.y4m"
        picture = cv2.resize(portrait, (640, 480), interpolation=cv2.INTER_CUBIC)
        frame = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes()
        camera.write_bytes(b"YUV4MPEG2 W640 H480 F30:1 Ip C420\n" + (b"FRAME\n" + frame) * 2)
        settings = LocalSettings(**FREE_PORTS, work_directory=Path(folder))
        with Stack(settings) as stack, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=[
                    *CHROMIUM_FLAGS,
                    *(["--no-sandbox"] if os.geteuid() == 0 else []),
                    "--use-fake-device-for-media-stream",
                    "--use-fake-ui-for-media-stream",
                    f"--use-file-for-fake-video-capture={camera}",
                ],
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(stack.url)
            page.get_by_role("button", name="Start camera").click()
            page.locator("#faces li").wait_for()
            page.wait_for_timeout(15_000)
            page.screenshot(path=out, type="jpeg", quality=88)
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
