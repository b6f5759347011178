"""One loaded version of a model."""

import queue
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from emotion_classifier.tensors import TensorSpec

FILE_NAME = "model.tflite"


class ModelError(Exception):
    """A version folder holds no model that can be served; the message tells why."""


@dataclass(frozen=True)
class Signature:
    """How a model is called. The first dimension of every tensor is the batch, of any size.

    Attributes:
        input_name: name of the only input.
        input: what the input takes.
        outputs: what comes out, by name.
    """

    input_name: str
    input: TensorSpec
    outputs: dict[str, TensorSpec]


class Model:
    """A LiteRT model behind as many interpreters as threads use it at once.

    Every interpreter runs one row at a time: for the models served here a batch costs as much
    as its rows one by one, and the shape never changes between calls.

    Attributes:
        signatures: by name, as the file has them.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        """Loads and warms up.

        Args:
            content: a ``.tflite`` file. Bytes rather than a path: LiteRT then checks the whole
                file, and nobody can change it under the running model.
            threads: how many calls of ``work`` may run at once.

        Raises:
            ModelError: not a LiteRT model, or one that cannot be served.
        """
        if not content:
            raise ModelError("the file is empty")
        try:
            interpreters = [
                Interpreter(model_content=content, num_threads=1) for _ in range(threads)
            ]
            names = list(interpreters[0].get_signature_list())
            if not names:
                raise ModelError("the file has no signatures")
            idle = [
                {name: each.get_signature_runner(name) for name in names} for each in interpreters
            ]
            self.signatures = {name: _signature(name, idle[0][name]) for name in names}
            for runners in idle:
                for name, signature in self.signatures.items():
                    _warm_up(name, runners[name], signature)
        except (ValueError, RuntimeError) as error:
            raise ModelError(" ".join(str(error).split())) from error
        self._idle: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for runners in idle:
            self._idle.put(runners)

    @classmethod
    def load(cls, folder: Path, threads: int) -> "Model":
        """Loads ``model.tflite`` of a version folder.

        Raises:
            ModelError: it is missing, unreadable, or cannot be served.
        """
        file = folder / FILE_NAME
        try:
            return cls(file.read_bytes(), threads)
        except OSError as error:
            raise ModelError(f"cannot read {file}: {error.strerror}") from error
        except ModelError as error:
            raise ModelError(f"cannot load {file}: {error}") from error

    def empty_outputs(self, signature_name: str, rows: int) -> dict[str, NDArray[Any]]:
        """Arrays for the outputs of ``rows`` rows."""
        return {
            name: np.empty((rows, *spec.shape[1:]), spec.dtype)
            for name, spec in self.signatures[signature_name].outputs.items()
        }

    def work(
        self,
        signature_name: str,
        rows: NDArray[Any],
        turns: Iterator[int],
        outputs: dict[str, NDArray[Any]],
    ) -> None:
        """Runs the rows that ``turns`` hands out and writes the answers into ``outputs``.

        Threads that work on one batch share ``turns``, so none waits while rows are left.

        Args:
            signature_name: one of ``signatures``.
            rows: the batch, as the signature's input.
            turns: indices of rows still to do.
            outputs: from ``empty_outputs``.
        """
        runners = self._idle.get()
        try:
            runner = runners[signature_name]
            input_name = self.signatures[signature_name].input_name
            for k in turns:
                answer = runner(**{input_name: rows[k : k + 1]})
                for name, output in outputs.items():
                    output[k] = answer[name][0]
        finally:
            self._idle.put(runners)


def _signature(name: str, runner: Any) -> Signature:
    inputs = {key: _spec(key, details) for key, details in runner.get_input_details().items()}
    outputs = {key: _spec(key, details) for key, details in runner.get_output_details().items()}
    if len(inputs) != 1:
        raise ModelError(f"signature {name!r} has inputs {sorted(inputs)}; expected exactly one")
    ((input_name, spec),) = inputs.items()
    return Signature(input_name, spec, outputs)


def _spec(key: str, details: dict[str, Any]) -> TensorSpec:
    """A tensor's details, with the first dimension open: rows are run one by one."""
    given = tuple(int(size) for size in details["shape_signature"])
    if not given or given[0] not in (-1, 1) or min(given[1:], default=1) < 1:
        raise ModelError(
            f"tensor {key!r} has shape {list(given)}; expected [-1, ...] with known sizes "
            "after the first"
        )
    spec = TensorSpec(details["name"], np.dtype(details["dtype"]), (-1, *given[1:]))
    try:
        _ = spec.data_type
    except KeyError:
        raise ModelError(f"tensor {key!r} is {spec.dtype}; expected a numeric type") from None
    return spec


def _warm_up(name: str, runner: Any, signature: Signature) -> None:
    """Runs one row, so that the first call pays for nothing, and looks at what comes out."""
    spec = signature.input
    row = np.zeros((1, *spec.shape[1:]), spec.dtype)
    for key, answer in runner(**{signature.input_name: row}).items():
        expected = (1, *signature.outputs[key].shape[1:])
        if answer.shape != expected:
            raise ModelError(
                f"signature {name!r} gives {key!r} of shape {list(answer.shape)} for one row; "
                f"expected {list(expected)}"
            )
        if not np.isfinite(answer).all():
            raise ModelError(f"signature {name!r} gives {key!r} that is not finite")
