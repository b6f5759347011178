"""Which versions of a model should be loaded: TensorFlow Serving's version policies."""

from collections.abc import Set
from dataclasses import dataclass


@dataclass(frozen=True)
class Latest:
    """The ``count`` newest versions."""

    count: int = 1

    def choose(self, present: Set[int]) -> set[int]:
        """The versions to load out of those whose folder is there."""
        return set(sorted(present, reverse=True)[: self.count])


@dataclass(frozen=True)
class All:
    """Every version there is."""

    def choose(self, present: Set[int]) -> set[int]:
        """The versions to load out of those whose folder is there."""
        return set(present)


@dataclass(frozen=True)
class Specific:
    """The versions that are named, as far as they are there."""

    versions: frozenset[int]

    def choose(self, present: Set[int]) -> set[int]:
        """The versions to load out of those whose folder is there."""
        return set(present & self.versions)


VersionPolicy = Latest | All | Specific


def surplus(wanted: Set[int], available: Set[int], present: Set[int]) -> set[int]:
    """The available versions to unload now.

    A replaced version goes only once every wanted one is available, so a new version that is
    still loading, or broken, takes nothing away. A version whose folder was removed goes at
    once, except the newest of them if nothing else is available: a model that serves never
    stops serving because of what happens to its folder. (TensorFlow Serving does unload a
    model whose last folder is removed.)

    Args:
        wanted: what the policy chooses.
        available: what answers calls now.
        present: what has a folder.
    """
    if wanted and wanted <= available:
        return set(available - wanted)
    gone = set(available - present)
    if gone and gone == available:
        gone.remove(max(gone))
    return gone
