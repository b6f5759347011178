"""What is measured, a file a part. Each takes the run, measures, and adds its figures.

``PARTS`` in the order in which they run. Those of ``slices`` alternate with each other, so that
a busy moment of the machine meets all of them.
"""

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.parts.chromium import measure_chromium
from benchmarks.parts.clients import measure_clients
from benchmarks.parts.images import measure_images
from benchmarks.parts.memory import measure_memory, measure_start
from benchmarks.parts.overload import measure_overload
from benchmarks.parts.scaling import measure_scaling
from benchmarks.parts.single import measure_single
from benchmarks.parts.slices import SLICES, measure_slices

PARTS: dict[str, Callable[[Bench], None]] = {
    "start": measure_start,
    "memory": measure_memory,
    "single": measure_single,
    "clients": measure_clients,
    "overload": measure_overload,
    "chromium": measure_chromium,
    "scaling": measure_scaling,
    "images": measure_images,
}
"""Parts that run on their own."""

NAMES = (*SLICES, *PARTS)
"""Every part, as ``--only`` takes them."""

__all__ = ["NAMES", "PARTS", "SLICES", "measure_slices"]
