"""What a client may ask for."""

import math

import pytest
from emotion.v1 import emotion_pb2
from emotion_gateway.options import DEFAULT_OPTIONS, Options, parse_options
from hypothesis import given
from hypothesis import strategies as st

RANGES = {
    "max_faces": (1, 100),
    "min_detection_score": (0.05, 1.0),
    "smoothing_seconds": (0.0, 10.0),
}


def test_absent_options_take_their_defaults() -> None:
    assert parse_options(emotion_pb2.RecognizeOptions()) == DEFAULT_OPTIONS
    assert Options(20, 0.5, 0.3, True) == DEFAULT_OPTIONS


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("end", [0, 1])
def test_both_ends_of_each_range_are_taken(name: str, end: int) -> None:
    """0.05 is not exact in the float32 of the wire."""
    value = RANGES[name][end]
    options = parse_options(emotion_pb2.RecognizeOptions(**{name: value}))
    assert getattr(options, name) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_faces", 0),
        ("max_faces", 101),
        ("max_faces", 2**32 - 1),
        ("min_detection_score", 0.0),
        ("min_detection_score", 0.0499),
        ("min_detection_score", 1.001),
        ("min_detection_score", -0.5),
        ("smoothing_seconds", -0.001),
        ("smoothing_seconds", 10.001),
        ("min_detection_score", math.nan),
        ("smoothing_seconds", math.nan),
        ("smoothing_seconds", math.inf),
        ("smoothing_seconds", -math.inf),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"options\.{name} is .*; expected .* to "):
        parse_options(emotion_pb2.RecognizeOptions(**{name: value}))


@given(
    st.builds(
        emotion_pb2.RecognizeOptions,
        max_faces=st.none() | st.integers(0, 2**32 - 1),
        min_detection_score=st.none() | st.floats(width=32),
        smoothing_seconds=st.none() | st.floats(width=32),
        landmarks=st.none() | st.booleans(),
    )
)
def test_whatever_is_taken_is_in_range(message: emotion_pb2.RecognizeOptions) -> None:
    try:
        options = parse_options(message)
    except ValueError:
        return
    for name, (low, high) in RANGES.items():
        assert low - 1e-6 <= getattr(options, name) <= high + 1e-6
