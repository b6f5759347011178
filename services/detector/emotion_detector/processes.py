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
    parent = multiprocessing.parent_process()
    loop = asyncio.get_running_loop()
    for ended in (process.sentinel for process in (*others, *([parent] if parent else []))):
        loop.add_reader(ended, _stop_after, loop, ended)


def _stop_after(loop: asyncio.AbstractEventLoop, ended: int) -> None:
    loop.remove_reader(ended)
    os.kill(os.getpid(), signal.SIGTERM)


def stop(others: Others) -> None:
    """Tells ``others`` to drain and end."""
    for process in others:
        process.terminate()


def wait(others: Others, seconds: float) -> None:
    """Waits until ``others`` have ended, at most so long each."""
    for process in others:
        process.join(seconds)
