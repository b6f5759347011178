"""The page of figures, of figures that are known."""

import re

import numpy as np

from training.classifier import evaluate, report


def measured(*, seven: bool) -> evaluate.Measured:
    """Figures of random scores that are mostly right."""
    rng = np.random.default_rng(0)

    def quality(classes: int) -> evaluate.Quality:
        kind = rng.integers(0, classes, 400)
        logits = rng.normal(0, 1, (400, classes)) + 4 * rng.random((400, 1)) * np.eye(classes)[kind]
        powers = np.exp(logits)
        scores = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
        return evaluate.quality(scores, kind)

    return evaluate.Measured(
        clear=quality(8),
        mirrored=quality(8),
        seven=quality(7) if seven else None,
        seven_unseen=quality(7) if seven else None,
        conditions=dict.fromkeys(evaluate.CONDITIONS, 0.5),
    )


def test_the_page_has_every_figure() -> None:
    found = measured(seven=True)
    plots = report.svgs(found)
    page = report.markdown(found, "7", list(plots))
    assert "Model: version 7" in page
    assert f"**FER+, as served** | 400 | {found.clear.accuracy:.1%}" in page
    assert found.seven
    assert f"all test faces | 400 | {found.seven.accuracy:.1%} |" in page
    assert all(f"| {name} | 50.0% |" in page for name in evaluate.CONDITIONS)
    assert re.findall(r"!\[.*?\]\((.+?)\)", page) == list(plots)
    assert len(plots) == 2
    assert all(svg.startswith("<svg") for svg in plots.values())


def test_a_version_with_one_signature_has_no_figures_of_the_other() -> None:
    page = report.markdown(measured(seven=False), "1", [])
    assert "This version has no scores of FER2013's labels." in page
    assert "signature `fer2013`" not in page
    assert "![" not in page
