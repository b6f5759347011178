"""``python -m training.detector``: trains, exports and evaluates the face detector."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from training.folder import DataError, default_folder, newest_version
from training.options import add_verbose, carry_out

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGED = _ROOT / "services/detector/emotion_detector/models/face_detector.onnx"
_TEACHER = "yunet_n_640_640.onnx"
_CARD = _PACKAGED.parent / "README.md"
_DOCUMENT = _ROOT / "docs/models-detector.md"


def _train(options: argparse.Namespace) -> None:
    from training.detector import data, labels, train
    from training.detector.reference import Detector, free_size
    from training.folder import file_bytes, subfolder

    pictures = data.load(options.data)
    known = labels.make(pictures, options.data, options.out / "labels")
    recipe = train.Recipe(teacher=_TEACHER, start=options.start.name if options.start else "")
    if options.epochs:
        recipe = replace(recipe, epochs=options.epochs)
    teacher = Detector(free_size(subfolder(options.data, "reference-models") / _TEACHER))
    start = file_bytes(options.start) if options.start else b""
    out = options.out / "training"
    train.train(pictures, known, recipe, out, teacher, start, verbose=options.verbose)


def _export(options: argparse.Namespace) -> None:
    from training.detector import calibrate, data, export, labels, train
    from training.fitting import WEIGHTS

    folder = options.out / "training"
    if not (folder / WEIGHTS).exists():
        raise DataError(
            f"no finished training in {folder}; run the train command with the same --out"
        )
    detector = export.to_onnx(train.load(folder))
    pictures = data.load(options.data)
    known = labels.make(pictures, options.data, options.out / "labels")
    score = calibrate.score_at_alarms(detector, pictures, known)
    print(f"0.5 is what was {score:.3f}: at most {calibrate.ALARMS:g} false alarms a picture")
    file = options.out / "face_detector.onnx"
    file.write_bytes(export.with_scores_shifted(detector, score))
    print(f"wrote {file}")


def _evaluate(options: argparse.Namespace) -> None:
    from benchmarks.report import insert
    from training import litert
    from training.detector import data, evaluate, labels, report
    from training.detector.reference import free_size
    from training.folder import file_bytes, subfolder

    models = {"ours": options.model} | dict(options.beside)
    pictures = data.load(options.data)
    found = evaluate.detectors(models, options.data)
    served = {name: evaluate.served(file) for name, file in models.items()}
    known = labels.make(pictures, options.data, options.out / "labels")
    held_out = evaluate.sets(pictures, known)
    free = [p for p in pictures if p.held_out and p.face_free]

    print("curves", flush=True)
    curves = evaluate.curves(found | evaluate.colour_blind(models, options.data), held_out)
    thresholds = {name: one["threshold"] for name, one in curves["machine 320"].items()}
    folder = subfolder(options.data, "reference-models")
    results = {"curves": curves}
    steps: dict[str, Callable[[], evaluate.Results]] = {
        "face_free": lambda: evaluate.face_free(found, served, pictures),
        "clips": lambda: evaluate.clips(found, served, options.data),
        "conditions": lambda: evaluate.conditions(found, held_out, thresholds),
        "large": lambda: evaluate.large_faces(found, served, held_out["machine"]),
        "chips": lambda: evaluate.chips(
            served["ours"], litert.classifier(options.classifier), options.data, free
        ),
        "times": lambda: evaluate.times(
            {name: file_bytes(file) for name, file in models.items()}
            | {name: free_size(folder / file) for name, file in evaluate.YUNETS.items()}
        ),
    }
    for name, step in steps.items():
        print(name, flush=True)
        results[name] = step()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "evaluation.json").write_text(json.dumps(results, indent=1) + "\n")

    plots = report.svgs(results)
    written = report.markdown(results, list(plots))
    print(written)
    if options.docs:
        for name, svg in plots.items():
            (_DOCUMENT.parent / name).write_text(svg)
        _DOCUMENT.write_text(insert(_DOCUMENT.read_text(), written, report.BEGIN))
        _CARD.write_text(insert(_CARD.read_text(), report.card(results), report.BEGIN))


def _named(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE, got {text!r}")
    return name, Path(file)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run, text in (
        ("train", _train, "make labels and train; goes on where it was interrupted"),
        ("export", _export, "write an ONNX file of the trained network"),
        ("evaluate", _evaluate, "measure a model beside YuNet on pictures held out of training"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        command.add_argument(
            "--data", type=Path, default=default_folder(), help="the data folder (%(default)s)"
        )
        command.add_argument(
            "--out",
            type=Path,
            default=_ROOT / "build/training/detector",
            help="folder for labels, weights, models and figures (%(default)s)",
        )
        if run is _train:
            command.add_argument("--epochs", type=int, help="fewer or more than the recipe's")
            command.add_argument(
                "--start",
                type=Path,
                metavar="ONNX",
                help="a detector that the export wrote, to start from in place of fresh weights",
            )
            add_verbose(command)
        if run is _evaluate:
            command.add_argument(
                "--model", type=Path, default=_PACKAGED, help="ONNX file (%(default)s)"
            )
            command.add_argument(
                "--beside",
                type=_named,
                action="append",
                default=[],
                metavar="NAME=FILE",
                help="another ONNX file to compare with; may be given several times",
            )
            command.add_argument(
                "--classifier",
                type=Path,
                default=newest_version() / "model.tflite",
                help="LiteRT file for chips (%(default)s)",
            )
            command.add_argument(
                "--docs",
                action="store_true",
                help="write tables and plots into docs and into the card, too",
            )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 2 where data is missing or damaged."""
    options = _parser().parse_args(arguments)
    return carry_out(options)


if __name__ == "__main__":
    sys.exit(main())
