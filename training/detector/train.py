"""Trains the detector."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from training.detector.augment import Canvases, Spot
from training.detector.batches import Batches
from training.detector.data import Picture
from training.detector.labels import Labels
from training.detector.losses import DetectorLoss
from training.detector.mining import mine
from training.detector.network import build
from training.detector.reference import Detector
from training.detector.start import set_weights
from training.fitting import WEIGHTS, claim, cosine, fastest_policy, kernels_only


@dataclass(frozen=True)
class Recipe:
    """What a training does; all of it is written beside the weights.

    Attributes:
        epochs: of ``steps`` batches each.
        steps: batches an epoch; canvases are random, so an epoch is only a unit.
        batch_size: canvases a step.
        size: side of a canvas in pixels, a multiple of 32.
        learning_rate: the highest, see ``fitting.cosine``.
        weight_decay: of kernels, decoupled (AdamW).
        mine_at: parts of the epochs after which mistakes are collected, to be shown more often;
            at 0 only where there is a start.
        teacher: name of the reference detector that teaches; empty for none.
        start: name of the detector that the weights are taken from; empty for fresh ones.
        seed: of weights and canvases.
    """

    epochs: int = 48
    steps: int = 200
    batch_size: int = 32
    size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 2e-2
    mine_at: tuple[float, ...] = (0.0, 0.3, 0.6)
    teacher: str = ""
    start: str = ""
    seed: int = 1


def train(
    pictures: Sequence[Picture],
    labels: Sequence[Labels],
    recipe: Recipe,
    out: Path,
    teacher: Detector | None = None,
    start: bytes = b"",
    verbose: int | str = "auto",
) -> keras.Model:
    """Trains, or goes on where an earlier run into ``out`` was interrupted.

    Args:
        pictures: all of them; those held out only give the validation loss.
        labels: theirs.
        recipe: see there.
        out: folder for ``weights.weights.h5``, ``recipe.json``, ``history.csv``. One that holds
            finished weights of the same recipe is taken as it is.
        teacher: see ``teacher.taught``; None leaves it at the labels.
        start: ONNX file to take the weights from; empty for fresh ones.
        verbose: as Keras' ``fit``.

    Returns:
        The trained network.

    Raises:
        ValueError: ``out`` belongs to another recipe.
    """
    claim(out, recipe)
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy(fastest_policy())
    model = build()
    weights = out / WEIGHTS
    if weights.exists():
        model.load_weights(weights)
        return model

    batches, validation = (
        Batches(
            Canvases(
                [p for p in pictures if p.held_out == held_out],
                [
                    known
                    for p, known in zip(pictures, labels, strict=True)
                    if p.held_out == held_out
                ],
                recipe.size,
            ),
            batch_size=recipe.batch_size,
            steps=steps,
            seed=recipe.seed,
            teacher=teacher,
        )
        for held_out, steps in ((False, recipe.steps), (True, max(1, recipe.steps // 25)))
    )
    if start:
        set_weights(model, start, np.concatenate([batches[i][0] for i in range(2)]))
    model.compile(optimizer=_optimizer(recipe, recipe.steps * recipe.epochs), loss=DetectorLoss())
    model.fit(
        batches,
        epochs=recipe.epochs,
        validation_data=_joined(validation),
        validation_batch_size=recipe.batch_size,
        verbose=verbose,
        callbacks=[
            keras.callbacks.BackupAndRestore(out / "interrupted"),
            _Epochs(batches, recipe, out),
            keras.callbacks.CSVLogger(out / "history.csv", append=True),
        ],
    )
    model.save_weights(weights)
    return model


def load(out: Path) -> keras.Model:
    """The network that ``train`` left in ``out``, computing in float32."""
    keras.mixed_precision.set_global_policy("float32")
    model = build()
    model.load_weights(out / WEIGHTS)
    return model


class _Epochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Before an epoch: its own canvases, also when resumed; its mistakes when it is time to."""

    def __init__(self, batches: Batches, recipe: Recipe, out: Path) -> None:
        super().__init__()
        self._batches, self._file = batches, out / "hard.json"
        self._mine_at = {round(part * recipe.epochs) for part in recipe.mine_at}
        if not recipe.start:  # fresh weights take everything for a face, or nothing
            self._mine_at -= {0}

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
        self._batches.epoch = epoch
        canvases = self._batches.canvases
        if epoch in self._mine_at:
            canvases.alarms, canvases.missed = mine(self.model, canvases.pictures, canvases.labels)
            rows = [
                [(spot.picture, spot.box.tolist()) for spot in spots]
                for spots in (canvases.alarms, canvases.missed)
            ]
            self._file.write_text(json.dumps(rows))
        elif not canvases.alarms and self._file.exists():
            canvases.alarms, canvases.missed = (
                [Spot(number, np.array(box, np.float32)) for number, box in rows]
                for rows in json.loads(self._file.read_text())
            )


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    return kernels_only(
        keras.optimizers.AdamW(
            cosine(recipe.learning_rate, steps),
            weight_decay=recipe.weight_decay,
            global_clipnorm=10.0,
        )
    )


def _joined(batches: Batches) -> tuple[np.ndarray, np.ndarray]:
    parts = [batches[i] for i in range(len(batches))]
    return np.concatenate([p for p, _ in parts]), np.concatenate([t for _, t in parts])
