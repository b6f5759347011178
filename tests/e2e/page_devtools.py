"""A page watched by nothing but what measures it.

Playwright listens to the network of its pages: each frame sent and received is written out once
more, on the page's own thread. What the page costs is measured without it.
"""

import itertools
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect


class DevTools:
    """The developer tools' protocol with one page."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method and waits for its result.

        Raises:
            RuntimeError: the browser answered with an error.
        """
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv(timeout=30))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def wait_until(self, expression: str, seconds: float = 20) -> None:
        """Waits until an expression is true in the page."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # There is no page to ask while it is loaded.
            with suppress(RuntimeError):
                if self.evaluate(f"Boolean({expression})"):
                    return
            time.sleep(0.1)
        raise AssertionError(f"not true after {seconds} s: {expression}")

    def metrics(self) -> dict[str, float]:
        """Times of the page's thread so far, in seconds, by Chromium's names for them."""
        metrics = self.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in metrics}


@contextmanager
def open_page(folder: Path, url: str, *flags: str) -> Iterator[DevTools]:
    """A page in a Chromium of its own."""
    chromium = shutil.which("chromium")
    assert chromium is not None
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    browser = subprocess.Popen(
        [
            chromium,
            "--headless",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            "--window-size=1280,900",
            *root,
            *flags,
            url,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_address(folder, url), max_size=None) as connection:
            yield DevTools(connection)
    finally:
        browser.terminate()
        browser.wait(20)


def _address(folder: Path, url: str) -> str:
    """Where the page with this address can be reached."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            port = (folder / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
                for target in json.load(answer):
                    if target["type"] == "page" and target["url"].startswith(url):
                        return str(target["webSocketDebuggerUrl"])
        except (OSError, IndexError):
            pass
        time.sleep(0.1)
    raise AssertionError("Chromium did not open the page in 30 s")
