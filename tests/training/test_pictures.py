"""What is done to pictures, and plots of shares."""

from xml.etree import ElementTree

import numpy as np
import pytest

from training.pictures import through_jpeg
from training.plots import bars


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_jpeg_keeps_shape_dtype_and_about_the_colours(shape: tuple[int, ...]) -> None:
    pixels = np.full(shape, 90, np.uint8)
    pixels[10:30, 20:40] = 200
    seen = through_jpeg(pixels, 90)
    assert seen.shape == shape
    assert seen.dtype == np.uint8
    assert np.abs(seen.astype(int) - pixels).mean() < 3
    assert not np.array_equal(seen, through_jpeg(pixels, 10))


def test_bars_are_as_long_as_their_shares() -> None:
    plot = ElementTree.fromstring(bars("A & B", {"whole": 1.0, "half": 0.5, "<none>": 0.0}))
    lengths = [float(bar.attrib["width"]) for bar in plot.iter("{http://www.w3.org/2000/svg}rect")]
    assert lengths == [lengths[0], lengths[0] / 2, 0]
    texts = {text.text for text in plot.iter("{http://www.w3.org/2000/svg}text")}
    assert {"A & B", "whole", "50.0%", "<none>"} <= texts
