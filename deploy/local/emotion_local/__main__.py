"""``python -m emotion_local``: what `make run` starts."""

import signal
import sys
import time

from emotion_serving import load_settings

from emotion_local.settings import LocalSettings
from emotion_local.stack import Interrupted, Stack, StartError

_WATCH_SECONDS = 0.2


def main() -> None:
    """Runs everything until Ctrl-C or SIGTERM; exits with 1 if it cannot, 2 for bad flags."""
    settings = load_settings(LocalSettings, prog="emotion-recognizer")
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: signals.append(number))
    stack = Stack(settings, say=_say, interrupted=lambda: bool(signals))
    began = time.monotonic()
    code = 0
    try:
        stack.start()
        _say(f"ready in {time.monotonic() - began:.1f} s: open {stack.url}")
        _say(f"logs are in {stack.logs}; Ctrl-C stops everything")
        while not signals:
            time.sleep(_WATCH_SECONDS)
            stack.watch()
    except StartError as error:
        _say(f"error: {error}")
        code = 1
    except Interrupted:
        pass
    if signals:
        _say("stopping")
    stack.stop()
    sys.exit(code)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
