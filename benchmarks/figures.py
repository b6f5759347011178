"""Figures: what was measured, round by round, and what must be reached. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.measures import median


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure must reach: at least or at most ``bound``."""

    bound: float
    at_least: bool

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"

    def is_met(self, value: float) -> bool:
        """Whether ``value`` is good enough."""
        return value >= self.bound if self.at_least else value <= self.bound


TARGETS = {
    "stack.ratio_to_kernel": Target(2.0, at_least=False),
    "clients.at_15fps": Target(24, at_least=True),
    "single.added_ms_p50": Target(3.0, at_least=False),
    "single.p99_over_p50": Target(4.0, at_least=False),
    "peer.flask.ratio_frames_per_cpu_s": Target(20, at_least=True),
    "overload.goodput_ratio": Target(0.9, at_least=True),
    "overload.jain": Target(0.98, at_least=True),
    "start.healthy_s": Target(3.0, at_least=False),
    "memory.idle_mb": Target(500, at_least=False),
    "memory.kb_per_session": Target(150, at_least=False),
}


@dataclass(slots=True)
class Figure:
    """One figure: its name, its unit, a value for each round, and what it means."""

    key: str
    unit: str
    meaning: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest value of a round."""
        return min(self.values), max(self.values)


class Figures:
    """All figures of a run, in the order in which they first came."""

    def __init__(self) -> None:
        self._figures: dict[str, Figure] = {}
        self.notes: list[str] = []

    def add(self, key: str, value: float, unit: str, meaning: str) -> None:
        """Adds the value of one round."""
        self._figures.setdefault(key, Figure(key, unit, meaning)).values.append(float(value))

    def note(self, line: str) -> None:
        """Adds something that a reader of the table has to know; once, however often it is said."""
        if line not in self.notes:
            self.notes.append(line)

    def latest(self, key: str) -> float:
        """The value of the newest round.

        Raises:
            KeyError: it has not been measured.
        """
        return self._figures[key].values[-1]

    def __getitem__(self, key: str) -> Figure:
        return self._figures[key]

    def __contains__(self, key: str) -> bool:
        return key in self._figures

    def all(self) -> Sequence[Figure]:
        """Every figure."""
        return list(self._figures.values())
