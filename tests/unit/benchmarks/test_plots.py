from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plots import line_plot, nice_limit, spread_out

POINTS = [{"x": 1.0, "gateway": 0.5, "stack": 4.0}, {"x": 128.0, "gateway": 0.4, "stack": 3.5}]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("log_x", [False, True])
def test_a_plot_is_a_small_svg_with_a_line_a_series_inside_its_frame(log_x: bool) -> None:
    text = line_plot("Cost", "sessions", POINTS, log_x=log_x)
    assert len(text) < 4000
    root = ElementTree.fromstring(text)
    lines = root.findall(f"{SVG}polyline")
    assert len(lines) == 2
    for line in lines:
        points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        assert len(points) == 2
        assert all(0 <= x <= 560 and 0 <= y <= 300 for x, y in points)
    labels = {element.text for element in root.findall(f"{SVG}text")}
    assert {"Cost", "sessions", "gateway", "stack", "1", "128"} <= labels


@given(st.floats(1e-6, 1e9))
def test_axes_end_at_round_numbers_not_far_above(value: float) -> None:
    assert value <= nice_limit(value) * (1 + 1e-9)
    assert nice_limit(value) <= 2.01 * value


def test_an_axis_of_nothing_ends_at_1() -> None:
    assert nice_limit(0) == 1


@given(st.lists(st.floats(0, 300), min_size=1, max_size=6))
def test_labels_never_overlap_and_never_move_down(positions: list[float]) -> None:
    moved = sorted(spread_out(positions, 14))
    assert all(b - a >= 14 - 1e-6 for a, b in pairwise(moved))
    assert all(new <= old for new, old in zip(spread_out(positions, 14), positions, strict=True))
