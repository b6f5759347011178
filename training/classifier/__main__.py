"""``python -m training.classifier``: trains, exports and evaluates the expression classifier."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from training.folder import DataError, default_folder, newest_version
from training.options import add_verbose, carry_out

_ROOT = Path(__file__).resolve().parents[2]
_DOCUMENT = _ROOT / "docs/models-classifier.md"


def _train(options: argparse.Namespace) -> None:
    from training.classifier import data, teachers, train
    from training.fitting import fastest_policy

    recipe = train.Recipe(
        teachers=tuple("/".join(folder.resolve().parts[-2:]) for folder in options.teacher),
        start=options.start.resolve().name if options.start else "",
    )
    if options.epochs:
        recipe = replace(recipe, epochs=options.epochs)
    start = train.served_weights(options.start) if options.start else []
    taught_by = [
        teachers.teacher(train.load(folder, fastest_policy())) for folder in options.teacher
    ]
    faces = data.load(options.data)
    train.train(faces, recipe, options.out, taught_by, start, verbose=options.verbose)
    print(f"trained: {options.out}; next: the export command with the same --out")


def _export(options: argparse.Namespace) -> None:
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        sys.exit("the export needs KERAS_BACKEND=tensorflow")
    import numpy as np

    from training.classifier import data, evaluate, export, train
    from training.classifier.network import FER2013, FER_PLUS
    from training.fitting import WEIGHTS

    if not (options.out / WEIGHTS).exists():
        raise DataError(f"no finished training in {options.out}; run the train command first")
    faces = data.load(options.data)
    network = train.load(options.out)
    classes = data.fer_plus_majority(faces.votes)
    rows = data.validation_rows(faces) & (classes >= 0)
    logits = network.predict(faces.pixels[rows][..., None], batch_size=128, verbose=0)
    temperatures = {
        FER_PLUS: evaluate.best_temperature(logits[FER_PLUS], classes[rows]),
        FER2013: evaluate.best_temperature(logits[FER2013], faces.label[rows].astype(np.int64)),
    }
    # Few: the ranges of the int8 numbers are the widest that are met, and a thousand faces hold
    # one that ruins them. With fifty the scores were nearest to the float network's.
    sample = faces.pixels[data.training_rows(faces)][::600]
    export.export(network, temperatures, sample, options.version)
    print(f"temperatures {temperatures}; wrote {options.version}")


def _evaluate(options: argparse.Namespace) -> None:
    from training.classifier import data, evaluate, report

    found = evaluate.measure(data.load(options.data), options.version / "model.tflite")
    plots = report.svgs(found)
    written = report.markdown(found, options.version.resolve().name, list(plots))
    print(written)
    if options.docs:
        for name, svg in plots.items():
            (_DOCUMENT.parent / name).write_text(svg)
        _DOCUMENT.write_text(written)


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 2 where data is missing or damaged."""
    parser = argparse.ArgumentParser(prog="python -m training.classifier", description=__doc__)
    commands = parser.add_subparsers(required=True)

    train = commands.add_parser("train", help="trains, or goes on with an interrupted training")
    train.add_argument("--epochs", type=int, help="instead of the recipe's")
    train.add_argument(
        "--teacher",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="a served version, or the --out folder of a training, that teaches; may be repeated",
    )
    train.add_argument(
        "--start",
        type=Path,
        metavar="VERSION",
        help="folder of a served version whose weights to start from, in place of fresh ones",
    )
    add_verbose(train)
    train.set_defaults(run=_train)

    export = commands.add_parser("export", help="writes a version folder of the finished training")
    export.add_argument("--version", type=Path, required=True, help="the folder to write")
    export.set_defaults(run=_export)

    evaluate = commands.add_parser("evaluate", help="tables and plots of a served version")
    evaluate.add_argument("--version", type=Path, default=newest_version())
    evaluate.add_argument("--docs", action="store_true", help=f"writes {_DOCUMENT.name}, too")
    evaluate.set_defaults(run=_evaluate)

    for command in (train, export, evaluate):
        command.add_argument("--data", type=Path, default=default_folder())
        command.add_argument("--out", type=Path, default=_ROOT / "build/training/classifier")
    options = parser.parse_args(arguments)
    return carry_out(options)


if __name__ == "__main__":
    sys.exit(main())
