"""What the network is shown."""

import numpy as np
import pytest

from training.classifier import data
from training.classifier.augment import augment
from training.classifier.batches import Batches, blend, mix, repeat_factors
from training.classifier.network import FER2013, FER_PLUS


def faces(count: int = 64) -> data.Faces:
    rng = np.random.default_rng(0)
    votes = np.zeros((count, 10), np.uint8)
    votes[np.arange(count), np.arange(count) % 8] = 10
    return data.Faces(
        pixels=rng.integers(0, 256, (count, 48, 48), dtype=np.uint8),
        votes=votes,
        label=(np.arange(count) % 7).astype(np.int8),
        usage=np.zeros(count, np.int8),
        exact=np.ones(count, bool),
        group=np.arange(count, dtype=np.int32),
        seen=np.zeros(count, bool),
    )


def test_an_epoch_can_be_repeated_and_differs_from_the_next() -> None:
    batches = Batches(faces(), batch_size=16, seed=3)
    first, _ = batches[1]
    batches.on_epoch_end()
    second, _ = batches[1]
    batches.start_epoch(0)
    again, _ = batches[1]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_batches_have_the_networks_shapes() -> None:
    views, wanted = Batches(faces(), batch_size=16, seed=3)[0]
    assert views.shape == (16, 48, 48, 1)
    assert views.dtype == np.uint8
    assert wanted[FER_PLUS].shape == (16, 8)
    assert wanted[FER2013].sum(axis=1) == pytest.approx(np.ones(16))


def test_rare_classes_are_shown_more_often() -> None:
    common, rare = np.eye(8, dtype=np.float32)[[0, 7]]
    factors = repeat_factors(np.stack([common] * 99 + [rare]))
    assert factors[0] == 1
    assert factors[-1] == pytest.approx(np.sqrt(10))


def test_the_last_epochs_show_faces_as_they_are() -> None:
    def unmixed(batches: Batches, epoch: int) -> bool:
        batches.start_epoch(epoch)
        return bool((batches[0][1][FER2013].max(axis=1) == 1).all())

    ending = Batches(faces(), batch_size=64, seed=3, mixed_epochs=1)
    assert all(unmixed(ending, epoch) for epoch in range(1, 12))
    unending = Batches(faces(), batch_size=64, seed=3)
    assert not all(unmixed(unending, epoch) for epoch in range(1, 12))


def test_mixing_keeps_the_sum_of_targets() -> None:
    rng = np.random.default_rng(1)
    views = rng.integers(0, 256, (8, 48, 48), dtype=np.uint8)
    mixed, wanted = mix(views, {FER_PLUS: np.eye(8, dtype=np.float32)}, rng)
    assert mixed.dtype == np.uint8
    assert wanted[FER_PLUS].sum(axis=1) == pytest.approx(np.ones(8))
    assert (np.diag(wanted[FER_PLUS]) >= 0.5).all()


def test_teachers_change_only_the_heads_they_know() -> None:
    wanted = {FER_PLUS: np.eye(8, dtype=np.float32), FER2013: np.ones((8, 7), np.float32)}
    taught = np.full((8, 8), 1 / 8, np.float32)
    blended = blend(wanted, np.zeros((8, 48, 48, 1), np.uint8), [lambda _: {FER_PLUS: taught}], 0.5)
    assert set(blended) == {FER_PLUS}
    assert blended[FER_PLUS][0] == pytest.approx([0.5625] + [0.0625] * 7)


def test_views_keep_size_and_stay_about_the_same() -> None:
    y, x = np.mgrid[0:48, 0:48]
    face = (200 * np.exp(-((x - 24) ** 2 + (y - 24) ** 2) / 200)).astype(np.uint8)
    rng = np.random.default_rng(2)
    views = [augment(face, rng) for _ in range(200)]
    assert {view.shape for view in views} == {(48, 48)}
    alike = [np.corrcoef(view.ravel(), face.ravel())[0, 1] for view in views]
    assert np.median(alike) > 0.8
    assert min(alike) < 0.99
