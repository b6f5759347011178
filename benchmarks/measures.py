"""Statistics of samples. Pure."""

import math
from collections.abc import Callable, Sequence


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least ``percent`` % (0 to 100) of the samples do not exceed.

    The nearest-rank definition: always one of the samples, never a value between two.

    Raises:
        ValueError: there are no samples, or ``percent`` is out of range.
    """
    if not samples:
        raise ValueError("no samples; expected at least one")
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent}; expected 0 to 100")
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


def median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the two in the middle.

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("no samples; expected at least one")
    ordered = sorted(samples)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def jain_index(shares: Sequence[float]) -> float:
    """How equal shares are: 1 if all are, 1/n if one has everything.

    (sum x)^2 / (n * sum x^2), by Jain, Chiu and Hawe, 1984 (DEC-TR-301). Nobody having anything
    counts as equal.

    Raises:
        ValueError: there are no shares, or one is negative.
    """
    if not shares or min(shares) < 0:
        raise ValueError("expected at least one share, and none below 0")
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def largest_passing(passes: Callable[[int], bool], guess: int, limit: int) -> int:
    """The largest number from 1 to ``limit`` that passes, 0 if not even 1 does.

    Goes up or down from ``guess`` by growing steps until it has one that passes and one that
    fails, then halves the gap: about 2 log2 of the distance between guess and answer tries.
    ``passes`` should be true below the answer and false above; each number is tried once.
    """
    low, high = 0, limit + 1  # known to pass, known to fail
    step = max(1, guess // 8)
    candidate = min(max(1, guess), limit)
    while high - low > 1:
        if passes(candidate):
            low = candidate
            candidate = low + step if high > limit else (low + high) // 2
        else:
            high = candidate
            candidate = high - step if low == 0 else (low + high) // 2
        candidate = min(max(candidate, low + 1), high - 1)
        step *= 2
    return low
