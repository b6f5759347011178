"""The threads that run models."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from numpy.typing import NDArray

from emotion_classifier.model import Model


class Workers:
    """A fixed number of threads; the rows of a batch are shared out between them.

    LiteRT gives up the interpreter lock while it computes, so the threads use as many cores.

    Args:
        threads: how many.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="model")
        self._running = 0

    async def run(
        self, model: Model, signature_name: str, rows: NDArray[Any]
    ) -> dict[str, NDArray[Any]]:
        """Runs a batch and returns its outputs by name, in the order of the rows.

        A single row while nothing else runs is computed here and now: half a millisecond of the
        event loop is less than waking up a thread costs. When the caller is cancelled, threads
        stop after the row that they are at.

        Args:
            model: loaded with at least ``threads`` interpreters.
            signature_name: one of the model's signatures.
            rows: [N, ...] as the signature's input; N may be 0.
        """
        outputs = model.empty_outputs(signature_name, len(rows))
        turns = iter(range(len(rows)))
        if len(rows) == 1 and not self._running:
            model.work(signature_name, rows, turns, outputs)
            return outputs
        loop = asyncio.get_running_loop()
        parts = [
            loop.run_in_executor(self._executor, model.work, signature_name, rows, turns, outputs)
            for _ in range(min(self.threads, len(rows)))
        ]
        self._running += 1
        try:
            await asyncio.gather(*parts)
        except BaseException:
            for _ in turns:
                pass
            raise
        finally:
            self._running -= 1
        return outputs

    def close(self) -> None:
        """Waits for what runs and ends the threads."""
        self._executor.shutdown()
