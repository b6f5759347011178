"""Checks what a client asks for, in one place."""

import math
from dataclasses import dataclass

from emotion.v1 import emotion_pb2


@dataclass(slots=True, frozen=True)
class Options:
    """``emotion.v1.RecognizeOptions`` with the defaults filled in; units and ranges as there."""

    max_faces: int = 20
    min_detection_score: float = 0.5
    smoothing_seconds: float = 0.3
    landmarks: bool = True


DEFAULT_OPTIONS = Options()


def parse_options(message: emotion_pb2.RecognizeOptions) -> Options:
    """Fills in the defaults and checks the ranges.

    Raises:
        ValueError: an option is out of range; says which, what was given and what is expected.
    """
    given = {field.name: value for field, value in message.ListFields()}
    _expect(given, "max_faces", 1, 100)
    _expect(given, "min_detection_score", 0.05, 1.0)
    _expect(given, "smoothing_seconds", 0.0, 10.0)
    return Options(**given)


def _expect(given: dict[str, float], name: str, low: float, high: float) -> None:
    # float32 on the wire: 0.05 arrives as 0.05000000074505806.
    if name in given and not low - 1e-6 <= given[name] <= high + 1e-6:
        shown = given[name] if math.isfinite(given[name]) else str(given[name])
        raise ValueError(f"options.{name} is {shown}; expected {low:g} to {high:g}")
