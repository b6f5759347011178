"""A child process that answers questions: one line of JSON in, one line of JSON out."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

_ROOT = Path(__file__).resolve().parent.parent


class WorkerError(Exception):
    """A worker could not answer; the message carries what it said."""


class Worker:
    """``python -m <module>`` as a child that calls ``answer_questions``; a context that ends it.

    Its standard error goes to a file in ``build/bench``.

    Args:
        module: e.g. ``benchmarks.kernel``.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._log = _ROOT / "build/bench" / f"{module}.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=_ROOT,
            )

    def ask(self, **question: Any) -> Any:
        """Asks and waits for the answer.

        Raises:
            WorkerError: the child has ended, or its answer is an error.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(question), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(
                f"{self._module} has ended with {self._process.wait()}; see {self._log}"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self._module}: {answer['error']}")
        return answer["answer"]

    def close(self) -> None:
        """Ends the child."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def answer_questions(answer: Callable[..., Any]) -> None:
    """Calls ``answer`` with the members of each question until the parent closes the pipe.

    What is printed meanwhile goes to standard error, so that it cannot be taken for an answer.
    """
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            reply = {"answer": answer(**json.loads(line))}
        except (OSError, ValueError, RuntimeError) as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)
