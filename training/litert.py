"""LiteRT models as functions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.folder import DataError, file_bytes

Scores = NDArray[np.float32]
Classifier = Callable[[NDArray[np.uint8]], Scores]


def classifier(file: Path, signature: str = "serving_default") -> Classifier:
    """A version's ``model.tflite`` as the embedded server runs it, face by face.

    Returns:
        Of faces, uint8 [N, 48, 48] with N at least 1, the scores, float32 [N, C].

    Raises:
        DataError: the file is missing or damaged, or has no such signature.
    """
    interpreter = _interpreter(file)
    if signature not in interpreter.get_signature_list():
        raise DataError(f"{file} has no signature {signature!r}")
    run = interpreter.get_signature_runner(signature)

    def classify(faces: NDArray[np.uint8]) -> Scores:
        # The only output: each version has its own name for it.
        return np.concatenate(
            [next(iter(run(faces=face[None, ..., None]).values())) for face in faces]
        )

    return classify


def signatures(file: Path) -> tuple[str, ...]:
    """The names of what a ``model.tflite`` can be asked for.

    Raises:
        DataError: the file is missing or damaged.
    """
    return tuple(_interpreter(file).get_signature_list())


def _interpreter(file: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        return Interpreter(model_content=file_bytes(file), num_threads=1)
    except ValueError as error:
        raise DataError(f"{file} is no LiteRT model: {error}") from error
