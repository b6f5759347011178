"""The arithmetic of a frame and nothing else: decode, detect, cut out, classify.

The services' own pure cores with their default settings, in one process, a thread a core; no
gRPC, no copies between processes, no sessions. What a frame costs here no service can beat.

``python -m benchmarks.kernel`` answers questions of the harness.
"""

import functools
import itertools
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import cv2
from emotion_classifier.model import Model
from emotion_classifier.servables import find_versions
from emotion_classifier.service import DEFAULT_SIGNATURE
from emotion_classifier.settings import ClassifierSettings
from emotion_detector.detector import FaceDetector
from emotion_detector.network import Network
from emotion_detector.picture import Limits
from emotion_detector.settings import DetectorSettings
from emotion_serving import load_settings

from benchmarks import frames
from benchmarks.worker import answer_questions

_MIN_SCORE = 0.5


class Kernel:
    """Loads both models as the services do.

    Args:
        threads: how many will call ``analyse`` at once.
    """

    def __init__(self, threads: int) -> None:
        cv2.setNumThreads(1)
        detector = load_settings(DetectorSettings, [], prog="kernel")
        classifier = load_settings(ClassifierSettings, [], prog="kernel")
        versions = find_versions(classifier.models_root / "emotion")
        self._detector = FaceDetector(
            Network(detector.model, detector.detection_size),
            Limits(detector.max_image_bytes, detector.max_image_pixels),
        )
        self._classifier = Model.load(versions[max(versions)], threads)

    def analyse(self, image: bytes, max_faces: int = 20) -> int:
        """Takes one JPEG all the way and returns the number of its faces."""
        chips = self._detector.analyse(image, _MIN_SCORE, max_faces).chips
        rows = chips[:, :, :, None]
        scores = self._classifier.empty_outputs(DEFAULT_SIGNATURE, len(rows))
        self._classifier.work(DEFAULT_SIGNATURE, rows, iter(range(len(rows))), scores)
        return len(rows)


def measure(
    kernel: Kernel,
    clip: Sequence[frames.Frame],
    *,
    threads: int,
    seconds: float,
    frames_per_second: float = 0,
    max_faces: int = 20,
) -> dict[str, Any]:
    """Runs frames in a loop.

    Args:
        kernel: loaded for at least ``threads`` threads.
        clip: what to analyse, over and over.
        threads: how many work at once.
        seconds: for how long.
        frames_per_second: of each thread; 0 for as many as it can.
        max_faces: of a frame.

    Returns:
        ``frames`` and ``faces`` analysed, ``cpu_s`` used by the whole process, ``seconds``
        passed, and ``latencies_ms`` of each frame.
    """
    turns = itertools.count()
    latencies_ms: list[float] = []
    faces = [0] * threads
    began, cpu_began = time.perf_counter(), time.process_time()
    end = began + seconds

    def work(thread: int) -> None:
        due = began
        while (now := time.perf_counter()) < end:
            if frames_per_second:
                due += 1 / frames_per_second
                time.sleep(max(0.0, due - now))
            started = time.perf_counter()
            frame = clip[next(turns) % len(clip)]
            faces[thread] += kernel.analyse(frame.image, max_faces)
            latencies_ms.append(1e3 * (time.perf_counter() - started))

    workers = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {
        "frames": len(latencies_ms),
        "faces": sum(faces),
        "cpu_s": time.process_time() - cpu_began,
        "seconds": time.perf_counter() - began,
        "latencies_ms": latencies_ms,
    }


def main() -> None:
    """Answers until the harness closes the pipe."""
    cores = len(os.sched_getaffinity(0))
    kernel = Kernel(cores)
    clip = functools.cache(frames.named_clip)

    def answer(
        picture: str, seconds: float, threads: int = cores, **options: Any
    ) -> dict[str, Any]:
        return measure(kernel, clip(picture), threads=threads, seconds=seconds, **options)

    answer_questions(answer)


if __name__ == "__main__":
    main()
