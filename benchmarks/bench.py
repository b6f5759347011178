"""What the parts of a run share: the running services, the two workers and the figures."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from emotion_local import LocalSettings, Stack
from emotion_serving import load_settings

from benchmarks.figures import Figures
from benchmarks.worker import Worker

ROOT = Path(__file__).resolve().parent.parent

SATURATING_SESSIONS = 15
"""Clients that keep all services busy when each sends a frame as soon as one is answered."""


@dataclass
class Bench:
    """A run: make it a context, so that everything it starts is stopped.

    Args:
        seconds: length of one measurement.
        rounds: how often each is repeated, in turns with what it is compared with.
        say: takes lines that tell a person what is going on.
        figures: what has been measured.
    """

    seconds: float
    rounds: int
    say: Callable[[str], None] = print
    figures: Figures = field(default_factory=Figures)
    series: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    @cached_property
    def stack(self) -> Stack:
        """The services, running for the rest of the run."""
        return self._open.enter_context(self.new_stack("stack"))

    @cached_property
    def _kernel(self) -> Worker:
        return self._open.enter_context(Worker("benchmarks.kernel"))

    @cached_property
    def _load(self) -> Worker:
        return self._open.enter_context(Worker("benchmarks.load"))

    def new_stack(self, name: str) -> Stack:
        """Services that are not started yet, on free ports."""
        folder = ROOT / "build/bench" / name
        shutil.rmtree(folder, ignore_errors=True)
        ports = [
            f"--{name.replace('_', '-')}=0"
            for name in LocalSettings.model_fields
            if name.endswith("port")
        ]
        settings = load_settings(
            LocalSettings, [*ports, f"--work-directory={folder}"], prog="benchmarks"
        )
        return Stack(settings, say=self.say)

    def kernel(self, picture: str = "mixed", **options: Any) -> dict[str, Any]:
        """One measurement of the kernel; see ``kernel.measure``."""
        answer = self._kernel.ask(picture=picture, **{"seconds": self.seconds, **options})
        return dict(answer)

    def load(
        self, picture: str = "mixed", *, stack: Stack | None = None, **options: Any
    ) -> dict[str, Any]:
        """One measurement of the running services under load; see ``load.measure``."""
        stack = stack or self.stack
        answer = self._load.ask(
            host="127.0.0.1",
            port=stack.settings.port,
            picture=picture,
            pids={name: process.pid for name, process in stack.processes.items()},
            **{"seconds": self.seconds, **options},
        )
        self.figures.add(
            "machine.other_cores",
            answer["others_cores"],
            "",
            "cores that something else kept busy, in all measurements of services",
        )
        return dict(answer)
