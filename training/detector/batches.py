"""What the network is shown: canvases with targets, in batches."""

from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from training.detector.augment import Canvases, View, recoloured
from training.detector.reference import Detector
from training.detector.targets import encode
from training.detector.teacher import taught


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches for ``fit``; every epoch and seed has its own random canvases."""

    def __init__(
        self,
        canvases: Canvases,
        *,
        batch_size: int,
        steps: int,
        seed: int,
        teacher: Detector | None = None,
        workers: int = 1,
    ) -> None:
        """
        Args:
            canvases: what to show.
            batch_size: canvases a batch.
            steps: batches an epoch.
            seed: of everything random here.
            teacher: asked on every canvas; None leaves it at the labels.
            workers: threads that make them.
        """
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=8)
        cv2.setNumThreads(1)
        self.canvases, self._teacher = canvases, teacher
        self._batch_size, self._steps, self._seed = batch_size, steps, seed
        self.epoch = 0

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """uint8 [B, S, S, 3] (BGR) and targets float32 [B, A, 19]."""
        rng = np.random.default_rng((self._seed, self.epoch, index))
        views = [self.canvases.canvas(rng) for _ in range(self._batch_size)]
        wanted = np.stack([self._targets(view) for view in views])
        return np.stack([recoloured(view.pixels, rng) for view in views]), wanted

    def _targets(self, view: View) -> NDArray[np.float32]:
        if self._teacher:
            return taught(view, self._teacher)
        return encode(view.boxes, view.landmarks, view.unsure, *view.pixels.shape[1::-1])

    def on_epoch_end(self) -> None:
        """Goes on to the next epoch's canvases."""
        self.epoch += 1
