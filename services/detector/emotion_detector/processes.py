"""Several processes that serve with one loaded model: Python's own code runs on one core a process.

All end together: when one ends, whatever the reason, the others drain and end, too.
"""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkProcess

Others = Sequence[ForkProcess]


def fork(count: int, serve: Callable[[int], None]) -> Others:
    """Runs ``serve(k)`` for each k from 1 below ``count`` in a process of its own.

    They share this process's memory until they write to it; it must not run threads or gRPC yet.
    They are stopped when this process exits.
    """
    context = multiprocessing.get_context("fork")
    others = [
        context.Process(target=serve, args=(k,), name=f"process-{k}", daemon=True)
        for k in range(1, count)
    ]
    for process in others:
        process.start()
    return others


def end_together(others: Others) -> None:
    """Sends this process SIGTERM when one of ``others`` ends, or the one that has forked this one.

    Called in a running event loop.
    """

    def end() -> None:
        _forget(others)
        os.kill(os.getpid(), signal.SIGTERM)

    for sentinel in _sentinels(others):
        asyncio.get_running_loop().add_reader(sentinel, end)


def stop(others: Others) -> None:
    """Tells ``others`` to drain and end; that they do is no reason any more to end this one."""
    _forget(others)
    for process in others:
        process.terminate()


def wait(others: Others, seconds: float) -> None:
    """Waits until ``others`` have ended, at most so long each."""
    for process in others:
        process.join(seconds)


def _sentinels(others: Others) -> list[int]:
    """What becomes readable when one of ``others`` or the parent has ended."""
    parent = multiprocessing.parent_process()
    return [process.sentinel for process in (*others, *([parent] if parent else []))]


def _forget(others: Others) -> None:
    for sentinel in _sentinels(others):
        asyncio.get_running_loop().remove_reader(sentinel)
