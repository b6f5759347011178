"""What the network is shown: augmented, mixed faces with distributions over classes as targets."""

from collections.abc import Callable, Sequence

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from training.classifier import data
from training.classifier.augment import augment
from training.classifier.network import FER2013, FER_PLUS

# By head, float32 [N, classes].
Targets = dict[str, NDArray[np.float32]]
# Faces, uint8 [N, 48, 48, 1], to probabilities of one head or both.
Teacher = Callable[[NDArray[np.uint8]], Targets]

# Classes rarer than this share of the training rows are shown more often (repeat factor sampling,
# Gupta et al., 2019, "LVIS").
_COMMON = 0.1


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches for ``fit``; every epoch and seed has its own order and its own random views.

    Targets are FER+'s votes and FER2013's label, blended with what teachers say of the very view
    that the network sees (Beyer et al., 2022, "a good teacher is patient and consistent"). Half of
    the batches are mixtures of two faces (mixup, Zhang et al., 2018), except in the last epochs.
    Where FER+ calls a row unknown, its targets are 0, which costs nothing.
    """

    def __init__(
        self,
        faces: data.Faces,
        *,
        batch_size: int,
        seed: int,
        teachers: Sequence[Teacher] = (),
        teacher_share: float = 0.0,
        mixed_epochs: int | None = None,
    ) -> None:
        """
        Args:
            faces: rows to train on.
            batch_size: faces a batch.
            seed: of everything random here.
            teachers: their mean probabilities are blended in.
            teacher_share: their part of the targets, 0 to 1.
            mixed_epochs: the first epoch without mixtures; None mixes for ever.
        """
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        cv2.setNumThreads(1)
        self._pixels = faces.pixels
        self._targets = targets(faces)
        self._repeats = repeat_factors(self._targets[FER_PLUS])
        self._batch_size, self._seed = batch_size, seed
        self._teachers, self._teacher_share = list(teachers), teacher_share
        self._mixed_epochs = mixed_epochs
        self.epoch = 0
        self._order = self._shuffled()

    def __len__(self) -> int:
        return int(self._repeats.sum()) // self._batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], Targets]:
        """uint8 [B, 48, 48, 1] and float32 [B, 8] and [B, 7]."""
        rng = np.random.default_rng((self._seed, self.epoch, index))
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        views = np.stack([augment(self._pixels[row], rng) for row in rows])
        wanted = {name: target[rows] for name, target in self._targets.items()}
        mixes = self._mixed_epochs is None or self.epoch < self._mixed_epochs
        if mixes and rng.random() < 0.5:
            views, wanted = mix(views, wanted, rng)
        if self._teachers:
            wanted |= blend(wanted, views[..., None], self._teachers, self._teacher_share)
        return views[..., None], wanted

    def on_epoch_end(self) -> None:
        """Goes on to the next epoch's order."""
        self.start_epoch(self.epoch + 1)

    def start_epoch(self, epoch: int) -> None:
        """Makes ``epoch`` the next one, for a training that is resumed."""
        self.epoch = epoch
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        rng = np.random.default_rng((self._seed, self.epoch))
        whole = np.floor(self._repeats)
        times = whole + (rng.random(len(whole)) < self._repeats - whole)
        order = np.repeat(np.arange(len(times)), times.astype(int))
        order = rng.permutation(order)
        return np.resize(order, len(self) * self._batch_size)  # a few more or fewer, by chance


def targets(faces: data.Faces) -> Targets:
    """Distributions to learn, float32 [N, 8] and [N, 7]."""
    return {
        FER_PLUS: data.fer_plus_distributions(faces.votes),
        FER2013: np.eye(7, dtype=np.float32)[faces.label],
    }


def repeat_factors(distributions: NDArray[np.float32]) -> NDArray[np.float32]:
    """How often each row is shown in an epoch, float32 [N], 1 or more."""
    frequencies = distributions.sum(axis=0) / max(float(distributions.sum()), 1)
    factors = np.sqrt(np.maximum(1, _COMMON / np.maximum(frequencies, 1e-6)))
    return np.asarray(np.maximum(1, distributions @ factors), np.float32)


def mix(
    views: NDArray[np.uint8], wanted: Targets, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Targets]:
    """Each face blended with another one of the batch, its targets likewise."""
    share = rng.beta(0.3, 0.3, len(views)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(views))
    blend = share[:, None, None] * views + (1 - share)[:, None, None] * views[other]
    return np.rint(blend).astype(np.uint8), {
        name: share[:, None] * target + (1 - share)[:, None] * target[other]
        for name, target in wanted.items()
    }


def blend(
    wanted: Targets, views: NDArray[np.uint8], teachers: Sequence[Teacher], share: float
) -> Targets:
    """Targets of the heads that teachers know: their mean is ``share`` of them."""
    answers = [teacher(views) for teacher in teachers]
    heads = {head for answer in answers for head in answer}
    taught = {h: np.mean([a[h] for a in answers if h in a], axis=0) for h in heads}
    return {h: (1 - share) * wanted[h] + share * taught[h] for h in heads}
