"""Trains one network: a teacher, or the student that is served."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from training.classifier import data
from training.classifier.batches import Batches, Teacher
from training.classifier.network import FER2013, FER_PLUS, build

WEIGHTS = "weights.weights.h5"


@dataclass(frozen=True)
class Recipe:
    """What a training does; all of it is written beside the weights.

    Attributes:
        epochs: passes over the training rows.
        width: of the network, see ``network.build``.
        batch_size: faces a step.
        learning_rate: the highest; warmed up to in a twentieth of the steps, then lowered to zero
            in a half cosine (Loshchilov & Hutter, 2017).
        weight_decay: of kernels, decoupled, in parts of the learning rate.
        teacher_share: part of the targets that teachers give.
        seed: of weights, order and views.
    """

    epochs: int = 48
    width: float = 1.0
    batch_size: int = 128
    learning_rate: float = 0.1
    weight_decay: float = 5e-3
    teacher_share: float = 0.5
    seed: int = 1


def train(
    faces: data.Faces,
    recipe: Recipe,
    out: Path,
    teachers: Sequence[Teacher] = (),
    verbose: str | int = "auto",
) -> keras.Model:
    """Trains, or goes on where an earlier run into ``out`` was interrupted.

    Args:
        faces: all rows; the splits are made here.
        recipe: see there.
        out: folder for ``weights.weights.h5``, ``recipe.json``, ``history.csv``. One that holds
            finished weights of the same recipe is taken as it is.
        teachers: models that the targets are blended with.
        verbose: as Keras has it; "auto" is a progress bar.

    Returns:
        The trained network.

    Raises:
        ValueError: ``out`` belongs to another recipe.
    """
    out.mkdir(parents=True, exist_ok=True)
    _claim(out, recipe)
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = build(recipe.width)
    weights = out / WEIGHTS
    if weights.exists():
        model.load_weights(weights)
        return model

    batches = Batches(
        faces.take(data.training_rows(faces)),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        teachers=teachers,
        teacher_share=recipe.teacher_share,
    )
    model.compile(
        optimizer=_optimizer(recipe, len(batches) * recipe.epochs),
        loss={
            name: keras.losses.CategoricalCrossentropy(from_logits=True)
            for name in (FER_PLUS, FER2013)
        },
        loss_weights={FER_PLUS: 1.0, FER2013: 0.5},
        metrics={FER_PLUS: ["accuracy"], FER2013: ["accuracy"]},
    )
    model.fit(
        batches,
        epochs=recipe.epochs,
        validation_data=_validation(faces),
        validation_batch_size=256,
        verbose=verbose,
        callbacks=[
            keras.callbacks.BackupAndRestore(out / "interrupted"),
            _SameEpoch(batches),
            keras.callbacks.CSVLogger(out / "history.csv", append=True),
        ],
    )
    model.save_weights(weights)
    return model


def load(out: Path) -> keras.Model:
    """A network that ``train`` left in ``out``, computing in float32."""
    keras.mixed_precision.set_global_policy("float32")
    model = build(json.loads((out / "recipe.json").read_text())["width"])
    model.load_weights(out / WEIGHTS)
    return model


class _SameEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows a resumed training the views of the epoch that it resumes."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
        if self._batches.epoch != epoch:
            self._batches.start_epoch(epoch)


def _claim(out: Path, recipe: Recipe) -> None:
    file, text = out / "recipe.json", json.dumps(asdict(recipe), indent=2) + "\n"
    if file.exists() and file.read_text() != text:
        raise ValueError(f"{out} holds a training of another recipe; delete it or name another")
    file.write_text(text)


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    warm_up = max(1, steps // 20)
    optimizer = keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(
            recipe.learning_rate / 25,
            decay_steps=max(1, steps - warm_up),
            warmup_target=recipe.learning_rate,
            warmup_steps=warm_up,
        ),
        momentum=0.9,
        nesterov=True,
        weight_decay=recipe.weight_decay,
        global_clipnorm=5.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _validation(faces: data.Faces) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    majority = data.fer_plus_majority(faces.votes)
    rows = data.validation_rows(faces) & (majority >= 0)
    return faces.pixels[rows][..., None], {
        FER_PLUS: np.eye(8, dtype=np.float32)[majority[rows]],
        FER2013: np.eye(7, dtype=np.float32)[faces.label[rows]],
    }
