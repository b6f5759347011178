"""A log is one JSON object a line."""

import json
import logging
import sys
from pathlib import Path

import pytest
from emotion_serving.logs import JsonFormatter, configure_logs


def formatted(**fields: object) -> dict[str, object]:
    record = logging.makeLogRecord({"levelname": "INFO", "msg": "baked", "created": 0.5} | fields)
    line = JsonFormatter("oven").format(record)
    assert "\n" not in line
    return dict(json.loads(line))


def test_an_event_has_time_level_service_and_name() -> None:
    assert formatted(msecs=500) == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "info",
        "service": "oven",
        "event": "baked",
    }


def test_extra_fields_become_members() -> None:
    event = formatted(port=8080, path=Path("a"))
    assert event["port"] == 8080
    assert event["path"] == "a"


def test_an_exception_stays_on_the_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        event = formatted(exc_info=sys.exc_info())
    assert "first\nsecond" in str(event["trace"])
    assert "Traceback" in str(event["trace"])


def test_a_message_with_line_breaks_stays_on_the_line() -> None:
    assert formatted(msg="a\nb\u2028c %s", args=("\r\n",))["event"] == "a\nb\u2028c \r\n"


def test_records_below_the_level_are_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure_logs("oven", "warning")
        logging.getLogger("bread").info("quiet")
        logging.getLogger("bread").warning("burnt %d", 2, extra={"loaf": 1})
        [line] = capfd.readouterr().err.splitlines()
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    event = json.loads(line)
    assert (event["event"], event["loaf"], event["level"]) == ("burnt 2", 1, "warning")
