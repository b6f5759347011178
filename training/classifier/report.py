"""The page about a version of the classifier, of what ``evaluate.measure`` found. Pure."""

from collections.abc import Sequence

from benchmarks.plots import line_plot
from training.classifier import data, evaluate
from training.classifier.network import FER2013
from training.plots import bars

_RELIABILITY, _CONDITIONS = "classifier-reliability.svg", "classifier-conditions.svg"
_LEAST_FACES = 20  # of a point of the reliability diagram


def markdown(found: evaluate.Measured, version: str, plots: Sequence[str]) -> str:
    """The whole page.

    Args:
        found: what was measured.
        version: of the model, its folder's name.
        plots: file names of pictures beside the page, of ``svgs``.
    """
    error = evaluate.calibration_error(found.clear.reliability)
    parts = [
        "# The expression classifier, measured",
        "Written by `make evaluate`; nothing on this page is by hand. What the model is and what "
        "it is for: its [card](../services/classifier/models/emotion/README.md).",
        f"Model: version {version}, int8, as the embedded server runs it.",
        _summary(found),
        "Mean recall weighs all classes alike, however rare they are.",
        f"## FER+, eight classes, {found.clear.faces} faces of the test split",
        "Faces with a class that most voters agree on, and of which neither the training nor the "
        "validation split has a copy.",
        _by_class(found.clear, data.FER_PLUS_CLASSES),
        "## What a score means",
        f"Expected calibration error of the top score: {error:.3f}. The diagram leaves out scores "
        f"that fewer than {_LEAST_FACES} faces have.",
        *_pictures(plots, _RELIABILITY),
        "## FER2013, its own seven labels",
        _by_class(found.seven, data.FER2013_CLASSES)
        if found.seven
        else "This version has no scores of FER2013's labels.",
        "## Under worse conditions",
        "The faces of FER+'s eight classes, changed:",
        *_pictures(plots, _CONDITIONS),
        "\n".join(
            [
                "| faces | accuracy |",
                "| --- | ---: |",
                *(f"| {name} | {accuracy:.1%} |" for name, accuracy in found.conditions.items()),
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def svgs(found: evaluate.Measured) -> dict[str, str]:
    """Plots by file name: reliability, where scores differ enough, and accuracy by condition."""
    plots = {}
    points = [
        {"x": round(float(score), 2), "right": float(right), "ideal": float(score)}
        for faces, score, right in found.clear.reliability
        if faces >= _LEAST_FACES
    ]
    if len(points) > 1:
        plots[_RELIABILITY] = line_plot("Part that is right, over the score", "top score", points)
    plots[_CONDITIONS] = bars("Accuracy by condition", found.conditions)
    return plots


def _pictures(plots: Sequence[str], name: str) -> list[str]:
    return [f"![{name.removesuffix('.svg')}]({name})"] if name in plots else []


def _summary(found: evaluate.Measured) -> str:
    rows = [
        ("**FER+, as served**", found.clear),
        ("FER+, mean with the mirrored face (not served)", found.mirrored),
        (f"FER2013's own seven labels (signature `{FER2013}`), all test faces", found.seven),
        ("likewise, faces of which no other split has a copy", found.seven_unseen),
    ]
    lines = ["| | faces | accuracy | mean recall |", "| --- | ---: | ---: | ---: |"]
    lines += [
        f"| {name} | {one.faces} | {one.accuracy:.1%} | {one.mean_recall:.1%} |"
        for name, one in rows
        if one
    ]
    return "\n".join(lines)


def _by_class(result: evaluate.Quality, names: Sequence[str]) -> str:
    """Recall and precision, and the confusion matrix beside them."""
    lines = [
        f"| class | faces | recall | precision | taken for: {' | '.join(names)} |",
        f"| --- | ---: | ---: | ---: |{' ---: |' * len(names)}",
    ]
    for k, name in enumerate(names):
        row = " | ".join(str(count) for count in result.confusion[k])
        lines.append(
            f"| {name} | {result.confusion[k].sum()} | {result.recall[k]:.2f} | "
            f"{result.precision[k]:.2f} | {row} |"
        )
    return "\n".join(lines)
