"""Trains one network: a teacher, or the student that is served."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.classifier import data
from training.classifier.batches import Batches, Targets, Teacher
from training.classifier.network import FER2013, FER_PLUS, build, ordered_weights
from training.fitting import WEIGHTS, claim, cosine, fastest_policy, kernels_only


@dataclass(frozen=True)
class Recipe:
    """What a training does; all of it is written beside the weights.

    Attributes:
        epochs: passes over the training rows.
        width: of the network, see ``network.build``.
        batch_size: faces a step.
        learning_rate: the highest, see ``fitting.cosine``.
        weight_decay: of kernels, decoupled, in parts of the learning rate.
        mixed_share: part of the epochs, from the first on, that mix faces; the last ones show
            faces as they are.
        teachers: names of the models that teach; their order is that given to ``train``.
        teacher_share: part of the targets that teachers give.
        start: name of the model that the weights are taken from; empty for fresh ones.
        seed: of weights, order and views.
    """

    epochs: int = 28
    width: float = 1.0
    batch_size: int = 128
    learning_rate: float = 0.04
    weight_decay: float = 5e-3
    mixed_share: float = 0.85
    teachers: tuple[str, ...] = ()
    teacher_share: float = 0.6
    start: str = ""
    seed: int = 1


def train(
    faces: data.Faces,
    recipe: Recipe,
    out: Path,
    teachers: Sequence[Teacher] = (),
    start: Sequence[NDArray[Any]] = (),
    verbose: str | int = "auto",
) -> keras.Model:
    """Trains, or goes on where an earlier run into ``out`` was interrupted.

    Args:
        faces: all rows; the splits are made here.
        recipe: see there.
        out: folder for ``weights.weights.h5``, ``recipe.json``, ``history.csv``. One that holds
            finished weights of the same recipe is taken as it is.
        teachers: models that the targets are blended with.
        start: weights to start from, see ``set_weights``.
        verbose: as Keras has it; "auto" is a progress bar.

    Returns:
        The trained network.

    Raises:
        ValueError: ``out`` belongs to another recipe, or ``start`` to another network.
    """
    claim(out, recipe)
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy(fastest_policy())
    model = build(recipe.width)
    weights = out / WEIGHTS
    if weights.exists():
        model.load_weights(weights)
        return model
    set_weights(model, start)

    batches = Batches(
        faces.take(data.training_rows(faces)),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        teachers=teachers,
        teacher_share=recipe.teacher_share,
        mixed_epochs=round(recipe.mixed_share * recipe.epochs),
    )
    model.compile(
        optimizer=_optimizer(recipe, len(batches) * recipe.epochs),
        loss={
            name: keras.losses.CategoricalCrossentropy(from_logits=True)
            for name in (FER_PLUS, FER2013)
        },
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


def load(folder: Path, policy: str = "float32") -> keras.Model:
    """A network that ``train`` left in ``folder``, or that of a served version's folder.

    Args:
        folder: one or the other.
        policy: of computing, as Keras calls it.

    Raises:
        ValueError: neither is there.
    """
    keras.mixed_precision.set_global_policy(policy)
    if (folder / WEIGHTS).exists():
        model = build(json.loads((folder / "recipe.json").read_text())["width"])
        model.load_weights(folder / WEIGHTS)
    else:
        model = build()
        set_weights(model, served_weights(folder))
    return model


class _SameEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows a resumed training the views of the epoch that it resumes."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
        if self._batches.epoch != epoch:
            self._batches.start_epoch(epoch)


def served_weights(version: Path) -> list[NDArray[Any]]:
    """The weights of a version folder that is served, in the order of ``ordered_weights``.

    Raises:
        ValueError: it holds no SavedModel with weights.
    """
    import tensorflow as tf

    try:
        stored = tf.train.load_checkpoint(str(version / "variables/variables"))
    except (tf.errors.OpError, ValueError) as error:
        raise ValueError(f"no weights in {version}; expected a SavedModel's folder") from error
    numbered = {
        int(match[1]): key
        for key in stored.get_variable_to_shape_map()
        if (match := re.match(r"(?:weights|variables)/(\d+)/", key))
    }
    if not numbered:
        raise ValueError(f"no weights of an expression network in {version}")
    return [stored.get_tensor(numbered[number]) for number in sorted(numbered)]


def set_weights(model: keras.Model, values: Sequence[NDArray[Any]]) -> None:
    """Sets the first of the network's ``ordered_weights``; the rest stay as they are.

    Raises:
        ValueError: one has another shape than the network's, or there are more of them.
    """
    weights = ordered_weights(model)
    if len(values) > len(weights):
        raise ValueError(
            f"weights of another network: {len(values)} arrays, expected {len(weights)} at most"
        )
    for weight, value in zip(weights, values, strict=False):
        if tuple(weight.shape) != value.shape:
            raise ValueError(
                f"weights of another network: {value.shape} for {weight.path}, "
                f"expected {tuple(weight.shape)}"
            )
        weight.assign(value)


def _optimizer(recipe: Recipe, steps: int) -> keras.optimizers.Optimizer:
    return kernels_only(
        keras.optimizers.SGD(
            cosine(recipe.learning_rate, steps),
            momentum=0.9,
            nesterov=True,
            weight_decay=recipe.weight_decay,
            global_clipnorm=5.0,
        )
    )


def _validation(faces: data.Faces) -> tuple[NDArray[np.uint8], Targets]:
    majority = data.fer_plus_majority(faces.votes)
    rows = data.validation_rows(faces) & (majority >= 0)
    return faces.pixels[rows][..., None], {
        FER_PLUS: np.eye(8, dtype=np.float32)[majority[rows]],
        FER2013: np.eye(7, dtype=np.float32)[faces.label[rows]],
    }
