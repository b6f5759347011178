"""How far the network's answers are from the targets."""

from typing import Any

import keras
from keras import ops

from training.detector import network, targets

_BOX_WEIGHT, _LANDMARK_WEIGHT = 2.0, 1.0
_BETA = 0.05  # of the smooth L1, in parts of a face's size


@keras.saving.register_keras_serializable("emotion")
class DetectorLoss(keras.losses.Loss):  # type: ignore[misc]
    """The sum of four losses over a batch, each in parts of the weight of all cells.

    Object: quality focal loss (Li et al., 2020) over all cells that are not unsure. By the cells'
        weights: class, cross entropy with a teacher's class or the overlap that the cell's box
        reaches as the target, so that the best of several cells wins; box, extended IoU loss (Peng
        & Yu, 2021), as YuNet; landmarks, smooth L1 in parts of the face's size.
    """

    def __init__(self, name: str = "detector_loss", **kwargs: Any) -> None:
        super().__init__(
            name=name, reduction=None, **{k: v for k, v in kwargs.items() if k == "dtype"}
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """A scalar of targets [N, A, 19] and answers [N, A, 16]."""
        y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        state = y_true[..., targets.STATE]
        face = ops.maximum(state, 0.0)
        weight = y_true[..., targets.WEIGHT]
        count = ops.maximum(ops.sum(weight), 1.0)

        logits = y_pred[..., network.OBJECT]
        off = ops.square(face - ops.sigmoid(logits)) * ops.cast(state > -0.5, "float32")
        object_loss = ops.sum(off * cross_entropy(face, logits))

        overlap, box_loss = extended_iou(y_true[..., targets.BOX], y_pred[..., network.BOX])
        taught = y_true[..., targets.CLASS]
        quality = ops.where(taught < 0, ops.stop_gradient(overlap), taught)
        class_loss = ops.sum(weight * cross_entropy(quality, y_pred[..., network.CLASS]))

        distance = ops.abs(y_true[..., targets.LANDMARKS] - y_pred[..., network.LANDMARKS])
        distance = distance / ops.maximum(y_true[..., targets.SIZE], 0.5)
        smooth = ops.where(
            distance < _BETA, ops.square(distance) / (2 * _BETA), distance - _BETA / 2
        )
        landmark_loss = ops.sum(weight * y_true[..., targets.KNOWN] * smooth)

        total = (
            object_loss
            + class_loss
            + _BOX_WEIGHT * ops.sum(weight * box_loss)
            + _LANDMARK_WEIGHT * landmark_loss
        )
        return total / count


def cross_entropy(target: Any, logits: Any) -> Any:
    """Of probabilities and logits, element by element."""
    return ops.softplus(logits) - target * logits


def extended_iou(one: Any, other: Any) -> tuple[Any, Any]:
    """Intersection over union, and 1 - that + distances of middles and sides in parts of the hull.

    Both of boxes as the network answers them (middle, logarithms of the sides), [..., 4] to [...,
    1].
    """
    middles, sides = one[..., :2], ops.exp(one[..., 2:])
    other_middles, other_sides = other[..., :2], ops.exp(ops.clip(other[..., 2:], -4.0, 5.0))
    start, end = middles - sides / 2, middles + sides / 2
    other_start, other_end = other_middles - other_sides / 2, other_middles + other_sides / 2
    shared = ops.maximum(ops.minimum(end, other_end) - ops.maximum(start, other_start), 0.0)
    shared_area = shared[..., :1] * shared[..., 1:]
    union = (
        sides[..., :1] * sides[..., 1:] + other_sides[..., :1] * other_sides[..., 1:] - shared_area
    )
    overlap = shared_area / union
    hull = ops.square(ops.maximum(end, other_end) - ops.minimum(start, other_start))
    apart = ops.sum(ops.square(middles - other_middles), axis=-1, keepdims=True)
    sides_apart = ops.sum(ops.square(sides - other_sides) / hull, axis=-1, keepdims=True)
    away = apart / ops.sum(hull, axis=-1, keepdims=True) + sides_apart
    return overlap, 1 - overlap + away
