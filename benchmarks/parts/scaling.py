"""Cost of a frame against the number of sessions, of faces, and the size of the picture."""

from typing import Any

from benchmarks.bench import SATURATING_SESSIONS, Bench

SESSIONS = (1, 2, 4, 8, 16, 32, 64, 128)
FACES = (0, 1, 2, 4, 8, 16, 32)
SIZES = ((160, 120), (320, 240), (640, 480), (1280, 720), (1920, 1080))
_MAX_FACES = 100


def measure_scaling(bench: Bench) -> None:
    """Fills ``bench.series``: a list of points for each of sessions, faces and width."""
    bench.say("scaling: sessions")
    bench.series["sessions"] = [
        _point(bench.load(sessions=sessions), sessions) for sessions in SESSIONS
    ]
    bench.say("scaling: faces")
    bench.series["faces"] = [_faces_point(bench, f"{n}@640x480", n) for n in FACES]
    bench.say("scaling: picture size")
    bench.series["width"] = [
        _faces_point(bench, f"1@{width}x{height}", width) for width, height in SIZES
    ]


def _faces_point(bench: Bench, picture: str, x: float) -> dict[str, float]:
    kernel = bench.kernel(picture, max_faces=_MAX_FACES)
    load = bench.load(picture, sessions=SATURATING_SESSIONS, max_faces=_MAX_FACES)
    if unclassified := load["outcomes"].get("unclassified"):
        bench.figures.note(f"scaling: {unclassified} frames of {picture} came back unclassified")
    kernel_ms = 1e3 * kernel["cpu_s"] / kernel["frames"]
    return {**_point(load, x), "kernel": kernel_ms}


def _point(load: dict[str, Any], x: float) -> dict[str, float]:
    """CPU-ms for each frame, of each service and of all together."""
    costs = {
        name: 1e3 * seconds / load["analysed"]
        for name, seconds in load["cpu_s"].items()
        if name != "page"
    }
    return {"x": x, **costs, "stack": sum(costs.values())}
