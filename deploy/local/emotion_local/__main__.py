"""``python -m emotion_local``: what `make run` starts."""

import signal
import sys
import time

from emotion_serving import load_settings

from emotion_local.settings import LocalSettings
from emotion_local.stack import Stack, StartError

_WATCH_SECONDS = 0.5


def main() -> None:
    """Runs everything until Ctrl-C or SIGTERM; exits with 1 if it cannot, 2 for bad flags."""
    stack = Stack(load_settings(LocalSettings, prog="emotion-recognizer"), say=_say)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    began = time.monotonic()
    code = 0
    try:
        stack.start()
        _say(f"ready in {time.monotonic() - began:.1f} s: open {stack.url}")
        _say(f"logs are in {stack.logs}; Ctrl-C stops everything")
        while True:
            time.sleep(_WATCH_SECONDS)
            stack.watch()
    except StartError as error:
        _say(f"error: {error}")
        code = 1
    except KeyboardInterrupt:
        _say("stopping")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stack.stop()
    sys.exit(code)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
