"""The page about a version of the classifier: every figure measured by the call that writes it."""

from pathlib import Path

import numpy as np

from training.classifier import data, evaluate
from training.classifier.network import FER2013


def markdown(faces: data.Faces, file: Path) -> str:
    """Tables of the int8 model ``file`` on the test split."""
    clear, classes = evaluate.fer_plus_test(faces)
    classify = evaluate.served(file, "serving_default")
    plain = evaluate.quality(classify(clear.pixels), classes)
    flipped = np.ascontiguousarray(clear.pixels[:, :, ::-1])
    both = evaluate.quality((classify(clear.pixels) + classify(flipped)) / 2, classes)
    lines = [
        "# The expression classifier, measured",
        "",
        "Written by `make evaluate`; nothing on this page is by hand. What the model is and what "
        "it is for: its [card](../services/classifier/models/emotion/README.md).",
        "",
        f"Model: version {file.parent.name}, int8, as the embedded server runs it.",
        "",
        f"## FER+, eight classes, {len(classes)} faces of the test split unseen in training",
        "",
        "| | accuracy |",
        "| --- | ---: |",
        f"| **as served** | **{plain.accuracy:.1%}** |",
        f"| mean with the mirrored face (not served) | {both.accuracy:.1%} |",
        "",
        f"Expected calibration error of the top score: {plain.calibration_error:.3f}.",
        "",
        *_by_class(plain, data.FER_PLUS_CLASSES),
        "",
        "## FER2013, its own seven labels",
        "",
        *_seven(faces, file),
        "",
        "## Under worse conditions",
        "",
        "The same faces, changed:",
        "",
        "| faces | accuracy |",
        "| --- | ---: |",
    ]
    for name, accuracy in evaluate.under_conditions(classify, clear.pixels, classes).items():
        lines.append(f"| {name} | {accuracy:.1%} |")
    return "\n".join(lines) + "\n"


def _seven(faces: data.Faces, file: Path) -> list[str]:
    try:
        classify = evaluate.served(file, FER2013)
    except ValueError:
        return ["This version has no scores of FER2013's labels."]
    test, labels = evaluate.fer2013_test(faces)
    result = evaluate.quality(classify(test.pixels), labels)
    unseen = evaluate.quality(classify(test.pixels[~test.seen]), labels[~test.seen])
    return [
        f"Signature `{FER2013}`, the second head of the network: {result.accuracy:.1%} of all "
        f"{len(labels)} test faces, {unseen.accuracy:.1%} of the {int((~test.seen).sum())} "
        "of which no copy is in the training split.",
        "",
        *_by_class(result, data.FER2013_CLASSES),
    ]


def _by_class(result: evaluate.Quality, names: tuple[str, ...]) -> list[str]:
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
    return lines
